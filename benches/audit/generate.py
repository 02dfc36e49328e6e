"""Writes FOLDER/{a,b}/N.jpg: N generated pictures, and a copy of every hundredth, encoded anew.

Run with Python 3, NumPy and Pillow: `python generate.py FOLDER COUNT`. The pictures are coloured
noise of several scales with a few shapes, 160 x 120 pixels, each from its own seed.
"""

import pathlib
import sys

import numpy as np
from PIL import Image, ImageDraw

folder, count = pathlib.Path(sys.argv[1]), int(sys.argv[2])
for name in "ab":
    (folder / name).mkdir(parents=True, exist_ok=True)
for i in range(count):
    random = np.random.default_rng(i)
    image = np.zeros((120, 160, 3), np.float32)
    for cells, weight in [(3, 90), (10, 60), (40, 40)]:
        noise = random.uniform(0, 255, (cells, cells, 3)).astype(np.uint8)
        layer = Image.fromarray(noise).resize((160, 120), Image.BICUBIC)
        image += weight / 190 * np.asarray(layer, np.float32)
    picture = Image.fromarray(image.clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    for _ in range(6):
        x, y, w, h = random.integers(0, [130, 90, 70, 60])
        draw.ellipse([x, y, x + w + 4, y + h + 4], fill=tuple(random.integers(0, 256, 3)))
    picture.save(folder / "ab"[i % 2] / f"{i}.jpg", quality=85)
    if i % 100 == 0:
        picture.save(folder / "ab"[i % 2] / f"{i}-copy.jpg", quality=60)
