"""Drawn photographs, and one scene again and again: camera traps, microscopes, X-rays, bursts, pans."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from draw_documents import font, noisy, rng_of


def cloud(rng, height, width, power):
    """1/f noise from 0 to 1."""
    f = np.hypot(np.fft.fftfreq(height)[:, None] * height, np.fft.rfftfreq(width)[None] * width)
    f[0, 0] = 1
    field = np.fft.irfft2((rng.normal(size=f.shape) + 1j * rng.normal(size=f.shape)) / f ** power, s=(height, width))
    return (field - field.min()) / (field.max() - field.min())


def photo(number, width=320, height=240):
    """1/f noise in colour under shapes that have a texture of their own."""
    rng = rng_of("photo", number)
    base = cloud(rng, height, width, 1.6)
    pixels = np.stack([base * t * 0.7 + cloud(rng, height, width, 1.4) * 0.3 for t in rng.uniform(0.2, 1, 3)], 2)
    pixels *= rng.uniform(150, 255)
    yy, xx = np.mgrid[:height, :width]
    for _ in range(rng.integers(4, 10)):
        cx, cy = rng.uniform(0, width), rng.uniform(0, height)
        a, b = rng.uniform(0.05, 0.25, 2) * min(width, height)
        turn = rng.uniform(0, np.pi)
        u = (xx - cx) * np.cos(turn) + (yy - cy) * np.sin(turn)
        v = (yy - cy) * np.cos(turn) - (xx - cx) * np.sin(turn)
        inside = (u / a) ** 2 + (v / b) ** 2 < 1 if rng.random() < 0.5 else (abs(u) < a) & (abs(v) < b)
        pixels[inside] = pixels[inside] * 0.2 + rng.uniform(0, 255, 3) * 0.8 + rng.normal(0, 8, (inside.sum(), 1))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def animal(canvas, number, small=30, large=85):
    """Pastes a blob with a texture of its own somewhere into `canvas`."""
    rng = rng_of("animal", number)
    wide, high = (int(v) for v in rng.integers(small, large, 2))
    mask = Image.new("L", (wide, high), 0)
    pen = ImageDraw.Draw(mask)
    pen.ellipse([0, high // 5, wide * 4 // 5, high], fill=255)
    pen.ellipse([wide // 2, 0, wide, high // 2], fill=255)
    texture = photo(30000 + number, 160, 120).resize((wide, high))
    place = (int(rng.integers(0, canvas.width - wide)), int(rng.integers(0, canvas.height - high)))
    canvas.paste(texture, place, mask.filter(ImageFilter.GaussianBlur(1)))
    return canvas


def camera(number):
    """A camera that stands still; another animal each time."""
    return noisy(animal(photo(99, 400, 300), number), 4, rng_of("camera", number))


def camera_light(number):
    """The same through a day: light, warmth and noise change slowly, the animal each time."""
    rng = rng_of("camera light", number)
    image = animal(photo(98, 400, 300), 2000 + number)
    day = 0.65 + 0.35 * np.sin(number / 9)
    pixels = np.asarray(image).astype(np.float32) * (day * np.array([1 + 0.1 * day, 1, 1.1 - 0.1 * day]))
    return noisy(Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)), float(rng.uniform(3, 9)), rng)


def camera_empty(number):
    """Every third frame of the trap is empty: those are the same scene, and differ by noise alone."""
    image = photo(97, 400, 300)
    if number % 3:
        image = animal(image, 4000 + number)
    return noisy(image, 5, rng_of("camera empty", number))


def camera_small(number):
    """Animals of a hundredth of the picture: 15 to 25 pixels in 400 x 300."""
    return noisy(animal(photo(96, 400, 300), 6000 + number, 18, 40), 4, rng_of("camera small", number))


def slide_glass(number):
    """A microscope: one dust pattern and vignette, other cells each time."""
    rng = rng_of("glass", number)
    fixed = rng_of("glass ground", 0)
    side = 320
    yy, xx = np.mgrid[:side, :side] / side - 0.5
    ground = np.stack([np.full((side, side), v, np.float32) for v in (232, 214, 228)], 2)
    ground -= cloud(fixed, side, side, 1.5)[..., None] * 22
    image = Image.fromarray(ground.astype(np.uint8))
    pen = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(25, 70))):
        x, y, r = *rng.uniform(0, side, 2), rng.uniform(5, 14)
        ink = tuple(int(v) for v in np.array([170, 90, 150]) * rng.uniform(0.7, 1.2))
        pen.ellipse([x - r, y - r * rng.uniform(0.7, 1), x + r, y + r], fill=tuple(min(255, c + 40) for c in ink))
        pen.ellipse([x - r / 2, y - r / 2, x + r / 3, y + r / 3], fill=tuple(c // 2 for c in ink))
    for _ in range(12):  # dust on the lens
        x, y, r = *fixed.uniform(0, side, 2), fixed.uniform(1, 4)
        pen.ellipse([x - r, y - r, x + r, y + r], fill=(60, 60, 60))
    pixels = np.asarray(image.filter(ImageFilter.GaussianBlur(0.8))).astype(np.float32)
    pixels *= np.clip(1.15 - 1.9 * (xx ** 2 + yy ** 2), 0.1, 1)[..., None]
    return noisy(Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)), 3, rng)


def xray(number):
    """A chest film: the same outline and tag; ribs, lungs, heart and shadows differ."""
    rng = rng_of("xray", number)
    side = 320
    yy, xx = np.mgrid[:side, :side].astype(np.float32)
    body = np.exp(-(((xx - 160) / 150) ** 6 + ((yy - 190) / 175) ** 6))
    film = 30 + 150 * body
    for left in (-1, 1):
        cx, wide, high = 160 + left * rng.uniform(58, 72), rng.uniform(36, 52), rng.uniform(85, 115)
        film -= 95 * np.exp(-(((xx - cx) / wide) ** 4 + ((yy - rng.uniform(150, 180)) / high) ** 4))
        for rib in range(8):
            y = 75 + rib * rng.uniform(23, 27) + left * 0.12 * (xx - cx) + ((xx - cx) / rng.uniform(13, 18)) ** 2
            film += rng.uniform(14, 26) * body * np.exp(-((yy - y) / 4) ** 2) * (np.abs(xx - cx) < wide * 1.2)
    heart = ((xx - 178 - rng.uniform(-8, 8)) / rng.uniform(36, 58)) ** 2
    heart += ((yy - rng.uniform(205, 230)) / rng.uniform(48, 68)) ** 2
    film += 80 * np.exp(-heart ** 2)
    for _ in range(rng.integers(0, 5)):
        x, y, r = *rng.uniform(90, 240, 2), rng.uniform(5, 20)
        film += rng.uniform(15, 45) * np.exp(-(((xx - x) ** 2 + (yy - y) ** 2) / r ** 2))
    film += 20 * (cloud(rng, side, side, 1.3) - 0.5)
    image = Image.fromarray(np.clip(film, 0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    pen.rectangle([8, 8, 44, 34], fill=20)
    pen.text((16, 8), "L", fill=255, font=font(24))
    return noisy(image, 3, rng)


def burst(number):
    """Ten scenes, six frames each, that shake by a few pixels while something small moves."""
    rng = rng_of("burst", number)
    wide = photo(200 + number // 6, 440, 330)
    x, y = rng.integers(0, 12, 2).tolist()
    image = wide.crop((20 + x, 15 + y, 420 - 12 + x, 315 - 12 + y))
    pen = ImageDraw.Draw(image)
    x, y = 60 + 30 * (number % 6), 140
    pen.ellipse([x, y, x + 34, y + 24], fill=(230, 220, 60))
    return noisy(image, 4, rng)


def pan(number):
    """Six scenes, ten frames each, that move on by 5 % of the width."""
    wide = photo(300 + number // 10, 700, 380)
    step = number % 10
    return noisy(wide.crop((step * 16, step * 4, step * 16 + 320, step * 4 + 320)), 3, rng_of("pan", number))


def tiny(number):
    """A drawn photograph at 32 x 32."""
    return photo(50000 + number, 128, 128).resize((32, 32), Image.LANCZOS)
