"""Writes scikit-learn's handwritten digits as a folder of ten classes: 1,797 grey PNGs of 8x8 pixels.

    python digits.py OUT

OUT gets train/, val/ and test/, each with a folder for each class, so that whoever trains on it has the same split: of
every ten images, in scikit-learn's order, two are for the test and one is for validation.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

PARTS = ["test", "train", "train", "val", "train", "test", "train", "train", "train", "train"]


def main():
    out = Path(sys.argv[1])
    digits = load_digits()
    counts = dict.fromkeys(PARTS, 0)
    for i, (image, label) in enumerate(zip(digits.images, digits.target)):
        part = PARTS[i % len(PARTS)]
        folder = out / part / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        grey = np.rint(image * (255 / 16)).astype(np.uint8)
        Image.fromarray(grey).save(folder / f"{i:04}.png")
        counts[part] += 1
    print(", ".join(f"{n} for {part}" for part, n in sorted(counts.items())))


if __name__ == "__main__":
    main()
