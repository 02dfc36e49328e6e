"""What is known of a folder's copies, and how an answer is judged by it.

Beside FOLDER lies FOLDER.json, as `situations.py` writes it. Without one, `X-copy.jpg` is the copy of `X.jpg`, as
`../generate.py` writes them.
"""

import json
import pathlib


def families(pairs):
    """A function from an image to its family: two are in one if a chain of pairs joins them."""
    parent = {}

    def find(image):
        while parent.setdefault(image, image) != image:
            image = parent[image]
        return image

    for a, b in pairs:
        parent[find(a)] = find(b)
    return find


def read(folder):
    folder = pathlib.Path(folder)
    file = folder.with_name(folder.name + ".json")
    if file.is_file():
        return json.loads(file.read_text())
    copies = sorted(f.relative_to(folder) for f in folder.rglob("*-copy.*"))
    copies = [[str(f.with_stem(f.stem.removesuffix("-copy"))), str(f), "jpeg"] for f in copies]
    return {"kind": "planted", "copies": copies, "either": []}


def judge(truth, pairs):
    """Of pairs of paths: by kind of change [found, planted]; the right pairs; the false ones.

    A pair is right if planted copies join its two images, false if not; neither if both are in one `either` group.
    A copy is found if pairs that are not false join it to its original.
    """
    family = families((a, b) for a, b, _ in truth["copies"])
    groups = {}
    for number, group in enumerate(truth["either"]):
        for image in group:
            groups.setdefault(image, set()).add(number)
    right = [(a, b) for a, b in pairs if family(a) == family(b)]
    others = [(a, b) for a, b in pairs if family(a) != family(b)]
    false = [(a, b) for a, b in others if not groups.get(a, set()) & groups.get(b, set())]
    joined = families(right + [pair for pair in others if groups.get(pair[0], set()) & groups.get(pair[1], set())])
    kinds = {}
    for a, b, kind in truth["copies"]:
        row = kinds.setdefault(kind, [0, 0])
        row[0] += joined(a) == joined(b)
        row[1] += 1
    return kinds, right, false
