"""Builds four folders of images from packages: digits, letters, textures, emoji, each with train/, val/ and test/.

    python make.py OUT [--only letters]

Nothing in them was drawn for `nn`. The same versions of the packages give the same folders: what is random is seeded.

digits    scikit-learn's 1,797 handwritten digits, 8x8, four times as large; split at random.
letters   A to J in the families of Debian's font packages, 32x32, grey; training, validation and test
          have different packages.
textures  parts of scikit-image's photographs, 32x32, grey, one class for each photograph; those for validation and for the
          test come from strips of the photograph that training never sees.
emoji     Twitter's pictures, brought to 32x32 on white, by the group of Unicode; split at random.

Fonts are fetched with `apt-get download` (Debian 12), the emoji with `npm pack`, both into OUT/packages.
"""

import argparse
import json
import subprocess
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SEED = 27
PARTS = ("train", "val", "test")
EMOJI = "emoji-datasource-twitter@16.0.0"
GROUPS = ("Smileys & Emotion", "People & Body", "Animals & Nature", "Food & Drink", "Travel & Places", "Activities",
          "Objects", "Symbols", "Flags")  # fmt: skip
LETTERS = "ABCDEFGHIJ"
FONTS = """adf-accanthis adf-baskervald adf-berenis adf-gillius adf-ikarius adf-irianis adf-libris adf-mekanus adf-oldania
adf-romande adf-switzera adf-tribun adf-universalis adf-verana allerta anonymous-pro averia-sans-gwf averia-serif-gwf b612 bebas-neue cabin
cantarell century-catalogue comfortaa comic-neue courier-prime crosextra-caladea crosextra-carlito dancingscript dejavu-extra
dkg-handwriting dosis ebgaramond ecolier-court essays1743 fantasque-sans fanwood femkeklaver gfs-artemisia gfs-baskerville
gfs-bodoni-classic gfs-didot gfs-neohellenic go goudybookletter hack-ttf humor-sans inconsolata isabella jetbrains-mono junction
junicode jura karla kaushanscript kristi lato league-mono leckerli-one lemonada liberation lindenhill linuxlibertine lobster
lobstertwo manrope monofur mononoki national-park ocr-a oldstandard open-sans opendyslexic oxygen play prociono quattrocento
quicksand radisnoir roboto-slab roboto-unhinted rufscript sil-andika sil-charis sil-gentium staypuft tomsontalks tuffy
ubuntu-title urw-base35 vollkorn yanone-kaffeesatz""".split()
FACES = 2  # of a family at most
SYMBOLS = ("D050000L", "Standard Symbols PS")  # families that draw no Latin letters
PHOTOGRAPHS = ("astronaut", "brick", "camera", "cell", "chelsea", "coffee", "coins", "grass", "gravel", "hubble_deep_field",
               "ihc", "moon", "motorcycle_left", "retina", "rocket")  # fmt: skip
# Strips of a photograph, as shares of its width, and patches cut from each.
STRIPS = {"train": (0.0, 0.5, 60), "val": (0.5, 0.7, 20), "test": (0.7, 1.0, 40)}
PATCH = 32


def shares(count, rng):
    """The part of each of `count` things: 60 % train, 20 % validate, 20 % test."""
    parts = np.repeat(PARTS, [count - 2 * (count // 5), count // 5, count // 5])
    return rng.permutation(parts)


def save(image, folder, part, label, name):
    folder = folder / part / label
    folder.mkdir(parents=True, exist_ok=True)
    image.save(folder / f"{name}.png")


def digits(out, _packages, rng):
    from sklearn.datasets import load_digits

    data = load_digits()
    for i, (image, label, part) in enumerate(zip(data.images, data.target, shares(len(data.target), rng))):
        pixels = np.round(image * (255 / 16)).astype(np.uint8)
        save(Image.fromarray(pixels).resize((32, 32), Image.BICUBIC), out, part, str(label), f"{i:04}")


def faces(package, packages):
    """The files of each family of fonts in a package that has all letters, by family and style."""
    folder = packages / f"fonts-{package}"
    if not folder.exists():
        subprocess.run(["apt-get", "download", folder.name], cwd=packages, check=True, capture_output=True)
        subprocess.run(["dpkg-deb", "-x", next(packages.glob(f"{folder.name}_*.deb")), folder], check=True)
    files = {}
    for file in sorted(folder.glob("**/*.[ot]tf")):
        if not file.is_file():
            continue
        font = ImageFont.truetype(file, 24)
        # Letters that are missing are all drawn as the same box.
        drawn = {bytes(font.getmask(letter)) for letter in LETTERS}
        family, style = font.getname()
        if len(drawn) == len(LETTERS) and family not in SYMBOLS:
            files.setdefault(family, {}).setdefault(style, file)
    return files


def letters(out, packages, rng):
    families = set()
    for package, part in zip(FONTS, shares(len(FONTS), rng)):
        for family, styles in faces(package, packages).items():
            families.add(family)
            for style in rng.permutation(sorted(styles))[:FACES]:
                for letter in LETTERS:
                    name = f"{family}-{style}".replace(" ", "_")
                    save(drawn_letter(letter, styles[style]), out, part, letter, name)
    return f"{len(families)} families of {len(FONTS)} packages"


def drawn_letter(letter, file):
    font = ImageFont.truetype(file, 96)
    left, top, right, bottom = font.getbbox(letter)
    size = max(right - left, bottom - top)
    image = Image.new("L", (size * 4 // 3, size * 4 // 3), 255)
    place = ((image.width - left - right) / 2, (image.height - top - bottom) / 2)
    ImageDraw.Draw(image).text(place, letter, 0, font=font)
    return image.resize((32, 32), Image.LANCZOS)


def textures(out, _packages, rng):
    import skimage

    for name in PHOTOGRAPHS:
        file = next((Path(skimage.__file__).parent / "data").glob(f"{name}.*"))
        photograph = Image.open(file).convert("RGB").convert("L")
        # No larger than most of them are.
        photograph.thumbnail((512, 512), Image.LANCZOS)
        for part, (begin, end, count) in STRIPS.items():
            begin, end = round(begin * photograph.width), round(end * photograph.width)
            for i in range(count):
                x, y = rng.integers(begin, end - PATCH + 1), rng.integers(0, photograph.height - PATCH + 1)
                save(photograph.crop((x, y, x + PATCH, y + PATCH)), out, part, name, f"{i:03}")


def emoji(out, packages, rng):
    file = packages / (EMOJI.replace("@", "-") + ".tgz")
    if not file.exists():
        subprocess.run(["npm", "pack", "--silent", EMOJI], cwd=packages, check=True, capture_output=True)
    with tarfile.open(file) as package:
        read = {member.name: member for member in package.getmembers()}
        entries = json.load(package.extractfile(read["package/emoji.json"]))
        entries = [entry for entry in entries if entry["category"] in GROUPS and entry["has_img_twitter"]]
        for entry, part in zip(entries, shares(len(entries), rng)):
            with package.extractfile(read["package/img/twitter/64/" + entry["image"]]) as png:
                picture = Image.open(png).convert("RGBA")
            white = Image.new("RGBA", picture.size, "white")
            picture = Image.alpha_composite(white, picture).convert("RGB")
            save(picture.resize((32, 32), Image.LANCZOS), out, part, entry["category"].split(" &")[0].lower(), entry["unified"].lower())


FOLDERS = {"digits": digits, "letters": letters, "textures": textures, "emoji": emoji}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", choices=FOLDERS, nargs="+", default=list(FOLDERS))
    args = parser.parse_args()
    packages = args.out.resolve() / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    for name in args.only:
        folder = args.out / name
        if folder.exists():
            raise SystemExit(f"{folder} is there already; remove it to build it again")
        remark = FOLDERS[name](folder, packages, np.random.default_rng(SEED))
        counts = {part: len(list((folder / part).glob("*/*.png"))) for part in PARTS}
        classes = len(list((folder / "train").iterdir()))
        text = ", ".join(f"{count} {part}" for part, count in counts.items())
        print(f"{name}: {classes} classes, {text}" + (f" ({remark})" if remark else ""))


if __name__ == "__main__":
    main()
