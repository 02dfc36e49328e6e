"""Writes OUT/a/N.jpg, every photograph under PHOTOS, and OUT/a/N-copy.jpg, a changed copy of it.

`python plant.py PHOTOS OUT [KIND]`, where KIND is jpeg, resize, flip, turn, crop, tone or mark; without
one, the kinds take turns. What is changed by how much is drawn for each photograph, from its number.
"""

import pathlib
import random
import sys

from PIL import Image, ImageDraw, ImageEnhance, ImageFont

KINDS = ["jpeg", "resize", "flip", "turn", "crop", "tone", "mark"]
TURNS = [Image.ROTATE_90, Image.ROTATE_180, Image.ROTATE_270]


def changed(image, kind, draw):
    """A copy of `image`, and the quality to save it at."""
    width, height = image.size
    if kind == "jpeg":
        return image, draw.randint(20, 70)
    quality = draw.randint(65, 95)
    if kind == "resize":
        scale = draw.uniform(0.35, 1.8)
        how = draw.choice([Image.BILINEAR, Image.BICUBIC, Image.LANCZOS, Image.BOX])
        return image.resize((round(width * scale), round(height * scale)), how), quality
    if kind == "flip":
        return image.transpose(draw.choice([Image.FLIP_LEFT_RIGHT, Image.FLIP_TOP_BOTTOM])), quality
    if kind == "turn":
        return image.transpose(draw.choice(TURNS)), quality
    if kind == "crop":
        less = [width // 10, height // 10]
        left, top = (draw.randint(0, side) for side in less)
        return image.crop((left, top, left + width - less[0], top + height - less[1])), quality
    if kind == "tone":
        copy = ImageEnhance.Brightness(image).enhance(draw.uniform(0.65, 1.35))
        return ImageEnhance.Contrast(copy).enhance(draw.uniform(0.65, 1.4)), quality
    layer = Image.new("RGBA", image.size, (0, 0, 0, 0))
    pen = ImageDraw.Draw(layer)
    for _ in range(draw.choice([1, 2])):
        font = ImageFont.load_default(max(14, int(width * draw.uniform(0.07, 0.14))))
        place = (draw.randint(0, width // 2), draw.randint(0, height * 4 // 5))
        ink = draw.choice([(255, 255, 255), (0, 0, 0), (20, 60, 200)]) + (draw.randint(110, 160),)
        pen.text(place, draw.choice(["(c) Preview", "DO NOT COPY", "stock image"]), font=font, fill=ink)
    return Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB"), quality


photos, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]) / "a"
kinds = sys.argv[3:] or KINDS
out.mkdir(parents=True, exist_ok=True)
files = sorted(f for f in photos.rglob("*") if f.suffix in (".jpg", ".jpeg", ".png"))
for number, file in enumerate(files):
    kind = kinds[number % len(kinds)]
    (out / f"{number}.jpg").write_bytes(file.read_bytes())
    copy, quality = changed(Image.open(file).convert("RGB"), kind, random.Random(f"{kind} {number}"))
    copy.save(out / f"{number}-copy.jpg", quality=quality)
