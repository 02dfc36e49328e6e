"""Pictures that come in series: parts in one jig, masks, swatches, captions, patients, clocks."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from draw_documents import WORDS, font, noisy, rng_of, screenshot, words
from draw_scenes import animal, cloud, photo
from draw_things import COLOURS


def part(number):
    """A machined part in one jig under one lamp: another piece each time, with its own grain, every third scratched."""
    rng = rng_of("part", number)
    side = 256
    yy, xx = np.mgrid[:side, :side] - side / 2 + rng.normal(0, 0.7, (2, 1, 1))
    radius, angle = np.hypot(xx, yy), np.arctan2(yy, xx)
    metal = 150 + 25 * np.cos(2 * angle) + 18 * np.sin(radius / 1.7 + rng.uniform(0, 6))
    metal += 30 * (cloud(rng, side, side, 0.9) - 0.5)
    film = np.where(radius < 105, metal, 40 + 10 * cloud(rng_of("jig", 0), side, side, 1.2))
    film[(radius < 38)] = 30
    for k in range(6):
        hole = np.hypot(xx - 72 * np.cos(k * np.pi / 3), yy - 72 * np.sin(k * np.pi / 3)) < 11
        film[hole] = 25
    image = Image.fromarray(np.clip(film, 0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.7))
    if number % 3 == 0:
        turn, away = rng.uniform(0, 2 * np.pi), rng.uniform(48, 95)
        x, y = 128 + away * np.cos(turn), 128 + away * np.sin(turn)
        ImageDraw.Draw(image).line([x, y, x + rng.uniform(-25, 25), y + rng.uniform(-25, 25)], fill=225, width=2)
    return noisy(image, 3, rng)


def blob(rng, side, reach):
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    radius = reach * (1 + sum(rng.uniform(-0.3, 0.3) / k * np.cos(k * angle + rng.uniform(0, 6)) for k in range(1, 6)))
    x, y = rng.uniform(reach, side - reach, 2)
    return list(zip(x + radius * np.cos(angle), y + radius * np.sin(angle)))


def mask(number):
    """A segmentation mask: one white blob, from 1 % to a quarter of the picture, on black."""
    rng = rng_of("mask", number)
    image = Image.new("L", (256, 256), 0)
    ImageDraw.Draw(image).polygon(blob(rng, 256, rng.uniform(15, 70)), fill=255)
    return image


def class_mask(number):
    """A mask of several classes in the colours of one palette: ground, road, sky, things."""
    rng = rng_of("class mask", number)
    image = Image.new("RGB", (256, 192), (70, 130, 180))
    pen = ImageDraw.Draw(image)
    level = [rng.uniform(60, 110) + 6 * np.sin(x / 20 + rng.uniform(0, 1)) for x in range(257)]
    pen.polygon([*enumerate(level), (256, 192), (0, 192)], fill=(107, 142, 35))
    middle, wide = rng.uniform(90, 170), rng.uniform(40, 100)
    pen.polygon([(middle, 100), (middle + 12, 100), (middle + wide, 192), (middle - wide, 192)], fill=(128, 64, 128))
    for _ in range(int(rng.integers(2, 9))):
        ink = [(0, 0, 142), (220, 20, 60), (70, 70, 70)][rng.integers(0, 3)]
        pen.polygon([(x * 0.999, 60 + y * 0.5) for x, y in blob(rng, 256, rng.uniform(8, 34))], fill=ink)
    return image


def swatch(number):
    """A paint swatch: a plain colour on fine paper with its name below."""
    rng = rng_of("swatch", number)
    image = Image.new("RGB", (200, 240), "white")
    pen = ImageDraw.Draw(image)
    pen.rectangle([0, 0, 200, 196], fill=COLOURS[number % 60])
    pen.text((10, 208), f"{rng.choice(WORDS)} {rng.integers(100, 1000)}", fill=0, font=font(18))
    return noisy(image, 2, rng)


def captioned(number):
    """Different photographs with the same words over them in large letters, and the same bar below."""
    image = photo(60000 + number, 320, 320)
    pen = ImageDraw.Draw(image)
    pen.text((160, 30), "WHEN YOU SEE IT", anchor="mm", font=font(34), fill="white", stroke_width=3, stroke_fill="black")
    pen.rectangle([0, 288, 320, 320], fill=(20, 20, 20))
    pen.text((12, 294), "@daily.pictures  follow us", font=font(16), fill="white")
    return image


def meme(number):
    """Ten photographs, six captions each."""
    image = photo(61000 + number // 6, 320, 320)
    pen = ImageDraw.Draw(image)
    rng = rng_of("meme", number)
    for y in (36, 284):
        pen.text((160, y), words(rng, 3).upper(), anchor="mm", font=font(28), fill="white", stroke_width=3, stroke_fill="black")
    return image


def sprite(number):
    """One character on one ground in other poses: arms, legs and place change."""
    rng = rng_of("sprite", number)
    image = Image.new("RGB", (128, 128), (90, 180, 230))
    pen = ImageDraw.Draw(image)
    pen.rectangle([0, 100, 128, 128], fill=(80, 150, 60))
    for x in (14, 52, 101):
        pen.rectangle([x, 92, x + 8, 108], fill=(120, 80, 40))
    x, y = rng.uniform(35, 93), 62
    pen.line([x, y, x, y + 24], fill=(200, 40, 40), width=12)
    for side in (-1, 1):
        for top, reach, ink in ((y + 2, 20, (240, 190, 150)), (y + 22, 22, (40, 40, 120))):
            turn = rng.uniform(-0.4, 1.9) if ink[0] == 240 else rng.uniform(0.9, 2.2)
            pen.line([x, top, x + side * reach * np.cos(turn), top + reach * np.sin(turn)], fill=ink, width=6)
    pen.ellipse([x - 11, y - 22, x + 11, y], fill=(240, 190, 150), outline=(90, 60, 30), width=2)
    return image


def bricks(number):
    """Walls of the same brick: joints on one grid, shade and wear of each brick its own."""
    rng = rng_of("bricks", number)
    image = Image.new("RGB", (320, 240), (190, 185, 175))
    pen = ImageDraw.Draw(image)
    for row in range(11):
        for column in range(-1, 8):
            x, y = column * 46 + row % 2 * 23, row * 23
            ink = tuple(int(v) for v in np.array([165, 80, 60]) * rng.uniform(0.7, 1.15))
            pen.rectangle([x + 2, y + 2, x + 43, y + 20], fill=ink)
    pixels = np.asarray(image).astype(np.float32) + 40 * (cloud(rng, 240, 320, 1.0)[..., None] - 0.5)
    return noisy(Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)), 4, rng)


def sea(number):
    """Water from above: a plain shade with small waves, sometimes a boat of a few pixels."""
    rng = rng_of("sea", number)
    waves = cloud(rng, 256, 256, 0.8)
    pixels = np.array([18, 62, 92]) + 45 * (waves[..., None] - 0.5) + rng.normal(0, 3, (256, 256, 1))
    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    if rng.random() < 0.5:
        x, y = rng.uniform(10, 240, 2)
        ImageDraw.Draw(image).ellipse([x, y, x + 9, y + 4], fill=(235, 235, 235))
    return image


def cameras_of_three(number):
    """Twenty cameras, three frames each, another animal in each frame."""
    return noisy(animal(photo(400 + number // 3, 400, 300), 8000 + number), 4, rng_of("three", number))


def patient(number):
    """Thirty patients, before and after: the same spot of skin, shifted and turned a little, the mole grown."""
    who, later = number // 2, number % 2
    rng = rng_of("patient", who)
    skin = np.array([225, 175, 150]) * rng.uniform(0.6, 1.05) + 40 * (cloud(rng, 300, 300, 1.1)[..., None] - 0.5)
    image = Image.fromarray(np.clip(skin, 0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    for _ in range(25):
        x, y = rng.uniform(0, 300, 2)
        pen.arc([x, y, x + 60, y + 40], 0, 90, fill=(60, 40, 30), width=1)
    x, y, r = *rng.uniform(110, 190, 2), rng.uniform(14, 26)
    outline = np.random.default_rng(who).uniform(0.7, 1.3, 14) * r * (1.35 if later else 1)
    angle = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    pen.polygon(list(zip(x + outline * np.cos(angle), y + outline * np.sin(angle))), fill=(85, 50, 40))
    image = image.filter(ImageFilter.GaussianBlur(1)).rotate(5 * later, Image.BICUBIC)
    shift = 12 * later
    return noisy(image.crop((22 + shift, 22, 262 + shift, 262)), 3, rng_of("visit", number))


def clock(number):
    """Twenty screens, three shots each: nothing but the time of day in the corner differs."""
    image = screenshot(500 + number // 3)
    pen = ImageDraw.Draw(image)
    rng = rng_of("clock", number)
    pen.text((570, 6), f"{rng.integers(0, 24):02}:{rng.integers(0, 60):02}:{rng.integers(0, 60):02}", fill="white", font=font(15))
    return image
