"""Changes that leave a copy a copy.

`CHANGES[kind](image, rng)` gives the copy and the JPEG quality to save it at.
"""

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFont, ImageOps

TURNS = [Image.ROTATE_90, Image.ROTATE_180, Image.ROTATE_270]
TEXTS = ["(c) Preview", "DO NOT COPY", "stock image", "SAMPLE"]


def quality(rng):
    return int(rng.integers(65, 96))


def jpeg(image, rng):
    return image, int(rng.integers(20, 91))


def resize(image, rng):
    scale = rng.uniform(0.4, 1.8)
    how = [Image.BILINEAR, Image.BICUBIC, Image.LANCZOS, Image.BOX][rng.integers(0, 4)]
    return image.resize((max(8, round(image.width * scale)), max(8, round(image.height * scale))), how), quality(rng)


def stretch(image, rng):
    """Another aspect: one side up to 1.5 times the other, as squashing to a square does."""
    share = rng.uniform(0.67, 0.9) if rng.random() < 0.5 else rng.uniform(1.1, 1.5)
    return image.resize((round(image.width * share), image.height), Image.BICUBIC), quality(rng)


def mirror(image, rng):
    return (ImageOps.mirror if rng.random() < 0.5 else ImageOps.flip)(image), quality(rng)


def turn(image, rng):
    return image.transpose(TURNS[rng.integers(0, 3)]), quality(rng)


def crop_to(share):
    """A part with `share` of the area, anywhere."""
    def change(image, rng):
        side = share ** 0.5
        width, height = round(image.width * side), round(image.height * side)
        x, y = int(rng.integers(0, image.width - width + 1)), int(rng.integers(0, image.height - height + 1))
        return image.crop((x, y, x + width, y + height)), quality(rng)
    return change


def crop_square(share):
    """The same, then squashed to a square, as loaders do."""
    def change(image, rng):
        part, how_well = crop_to(share)(image, rng)
        side = min(224, max(24, max(part.size)))
        return part.resize((side, side), Image.BICUBIC), how_well
    return change


def tone(image, rng):
    copy = ImageEnhance.Brightness(image).enhance(rng.uniform(0.65, 1.35))
    return ImageEnhance.Contrast(copy).enhance(rng.uniform(0.65, 1.4)), quality(rng)


def warmth(image, rng):
    """Another white balance and saturation."""
    pixels = np.asarray(image.convert("RGB")).astype(np.float32) * rng.uniform(0.85, 1.15, 3)
    copy = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    return ImageEnhance.Color(copy).enhance(rng.uniform(0.6, 1.5)), quality(rng)


def grey(image, rng):
    return image.convert("L"), quality(rng)


def write_over(image, rng, sizes, alphas):
    layer = Image.new("RGBA", image.size, (0, 0, 0, 0))
    pen = ImageDraw.Draw(layer)
    font = ImageFont.load_default(max(10, int(image.width * rng.uniform(*sizes))))
    place = (int(rng.integers(0, image.width // 3 + 1)), int(rng.integers(0, image.height * 4 // 5)))
    ink = [(255, 255, 255), (0, 0, 0), (20, 60, 200), (200, 30, 30)][rng.integers(0, 4)]
    pen.text(place, TEXTS[rng.integers(0, len(TEXTS))], font=font, fill=(*ink, int(rng.integers(*alphas))))
    return Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB"), quality(rng)


def letters_small(image, rng):
    return write_over(image, rng, (0.04, 0.07), (120, 256))


def letters(image, rng):
    return write_over(image, rng, (0.07, 0.12), (110, 160))


def letters_large(image, rng):
    return write_over(image, rng, (0.12, 0.16), (110, 160))


def letters_opaque(image, rng):
    return write_over(image, rng, (0.07, 0.12), (255, 256))


def stamp(image, rng):
    """A ring with a word, a third as wide as the picture, and half transparent."""
    side = max(24, min(image.size) // 3)
    mark = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    pen = ImageDraw.Draw(mark)
    ink = (190, 30, 40, 170)
    pen.ellipse([1, 1, side - 2, side - 2], outline=ink, width=max(2, side // 20))
    pen.text((side / 2, side / 2), "PAID", anchor="mm", fill=ink, font=ImageFont.load_default(max(8, side // 4)))
    mark = mark.rotate(float(rng.uniform(-30, 30)))
    copy = image.convert("RGBA")
    place = (int(rng.integers(0, image.width - side + 1)), int(rng.integers(0, image.height - side + 1)))
    copy.alpha_composite(mark, place)
    return copy.convert("RGB"), quality(rng)


def frame(image, rng):
    """A border of 5 % in black or white around it."""
    border = max(2, round(min(image.size) * 0.05))
    ground = 0 if image.mode == "L" else ["black", "white"][rng.integers(0, 2)]
    return ImageOps.expand(image, border, ground), quality(rng)


def noise(image, rng):
    pixels = np.asarray(image).astype(np.float32)
    return Image.fromarray(np.clip(pixels + rng.normal(0, 8, pixels.shape), 0, 255).astype(np.uint8)), quality(rng)


def tilt(degrees, corners):
    """Tilted one way or the other; corners black, white, or cropped away to the largest part inside."""
    def change(image, rng):
        angle = degrees * (1 if rng.random() < 0.5 else -1)
        white = (255,) * len(image.getbands()) if image.mode != "L" else 255
        if corners != "inside":
            return image.rotate(angle, Image.BICUBIC, fillcolor=white if corners == "white" else None), quality(rng)
        sine, cosine = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
        w, h = image.size  # the largest upright part with the picture's own aspect
        share = min(w / (w * cosine + h * sine), h / (w * sine + h * cosine))
        turned = image.rotate(angle, Image.BICUBIC, expand=True)
        left, top = (turned.width - w * share) / 2, (turned.height - h * share) / 2
        return turned.crop((round(left), round(top), round(left + w * share), round(top + h * share))), quality(rng)
    return change


def shear(image, rng):
    slope = 0.08 * (1 if rng.random() < 0.5 else -1)
    slant = (1, slope, -slope * image.height / 2, 0, 1, 0)
    return image.transform(image.size, Image.AFFINE, slant, Image.BICUBIC), quality(rng)


CHANGES = {
    "jpeg": jpeg, "resize": resize, "stretch": stretch, "mirror": mirror, "turn": turn, "tone": tone, "warmth": warmth,
    "grey": grey, "letters_small": letters_small, "letters": letters, "letters_large": letters_large,
    "letters_opaque": letters_opaque, "stamp": stamp, "frame": frame, "noise": noise, "shear": shear,
    **{f"crop_{s}": crop_to(s / 100) for s in (90, 80, 70, 60, 50)},
    **{f"crop_square_{s}": crop_square(s / 100) for s in (95, 90, 80)},
    **{f"tilt_{d}_{c}": tilt(d, c) for d in (3, 8, 15) for c in ("black", "white", "inside")},
}
SIMPLE = ["jpeg", "resize", "mirror", "turn", "tone", "crop_90", "letters"]
# What keeps the shape and the colours: for sets in which those are all that differs.
CAREFUL = ["jpeg", "resize", "crop_90", "noise"]
# What a person does with papers.
PAPER = ["jpeg", "resize", "tone", "grey", "stamp", "noise", "crop_90", "letters_small"]
