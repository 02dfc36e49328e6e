"""A labelling tool's export: each picture three times, changed in several ways at once, and split at random.

Every picture whose three versions are divided over train, valid and test is a leak, and each single change is one
that the audit looks for. PHOTOS=DIR takes photographs in place of drawn pictures, of which more is found.
"""

import os
import pathlib

import numpy as np
from PIL import Image, ImageEnhance, ImageOps
from reproducer import arguments, audit, pairs, put, verdict

from draw_scenes import photo


def augmented(image, rng):
    """What such tools do by default: flip, up to 10 degrees, up to 15 % of zoom, light, 320 x 320."""
    if rng.random() < 0.5:
        image = ImageOps.mirror(image)
    image = image.rotate(float(rng.uniform(-10, 10)), Image.BICUBIC)
    zoom = rng.uniform(0.85, 1)
    wide, high = round(image.width * zoom), round(image.height * zoom)
    x, y = int(rng.integers(0, image.width - wide + 1)), int(rng.integers(0, image.height - high + 1))
    image = image.crop((x, y, x + wide, y + high)).resize((320, 320), Image.BICUBIC)
    return ImageEnhance.Brightness(image).enhance(float(rng.uniform(0.85, 1.15)))


nn, out = arguments()
files = sorted(pathlib.Path(os.environ["PHOTOS"]).rglob("*.jp*g"))[::5] if "PHOTOS" in os.environ else range(48)
rng = np.random.default_rng(1)
parts = {}
for number, file in enumerate(files[:48]):
    image = photo(9000 + file, 400, 300) if isinstance(file, int) else Image.open(file).convert("RGB")
    for version in range(3):
        part = ["train", "train", "valid", "test"][rng.integers(0, 4)]
        put(out, part, "ab"[number % 2], f"{number:02}_{version}.jpg", augmented(image, rng))
        parts.setdefault(number, []).append(part)
number = lambda path: int(pathlib.Path(path).stem.split("_")[0])
part = lambda path: path.split("/")[0]
answer, status = audit(nn, out)
divided = {n for n, where in parts.items() if len(set(where)) > 1}
seen = {number(a) for a, b in pairs(answer) if number(a) == number(b) and part(a) != part(b)}
false = [(a, b) for a, b in pairs(answer) if number(a) != number(b)]
print(f"{len(parts)} pictures in 3 versions: {len(divided)} divided over the splits, {len(seen & divided)} of them found, "
      f"{len(false)} false pairs, status {status}")
verdict(len(seen & divided) < 0.9 * len(divided) or len(false) > 0, "fewer than nine in ten leaks of an augmented export are found, or others are called copies")
