"""Trains torchvision's ResNet-18 on a folder of classes, once for each seed, and prints one JSON line for each.

    python torch_resnet.py FOLDER [--seeds 5] [--epochs 8]

FOLDER holds train/, val/ and test/ (`digits.py` writes one). The same work as

    nn-cli train --data FOLDER --architecture resnet18 --image-size 64 --batch-size 32 --epochs 8 --seed SEED

Pictures are stretched to 64 x 64 (bilinear, as `nn-cli` does it) and divided by 255, labels are the sorted folder names,
the optimiser is Adam with Keras' epsilon, and the order of the training images is drawn anew in each epoch. Weights are
drawn as each side draws them.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
from PIL import Image


def load(folder, classes, size):
    images, labels = [], []
    for label, name in enumerate(classes):
        for path in sorted((folder / name).iterdir()):
            pixels = np.asarray(Image.open(path).convert("RGB"), dtype=np.float32) / 255
            image = torch.from_numpy(pixels).permute(2, 0, 1)[None]
            images.append(F.interpolate(image, size=(size, size), mode="bilinear", align_corners=False))
            labels.append(label)
    return torch.cat(images).contiguous(memory_format=torch.channels_last), torch.tensor(labels)


def train(images, labels, classes, args, seed):
    torch.manual_seed(seed)
    model = torchvision.models.resnet18(num_classes=classes).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=args.learning_rate, eps=1e-7)
    losses = []
    for _ in range(args.epochs):
        model.train()
        total = 0.0
        for batch in torch.randperm(len(labels)).split(args.batch_size):
            optimizer.zero_grad(set_to_none=True)
            loss = F.cross_entropy(model(images[batch]), labels[batch])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
        losses.append(round(total / len(labels), 4))
    return model, losses


@torch.no_grad()
def accuracy(model, images, labels):
    model.eval()
    right = sum((model(x).argmax(1) == y).sum().item() for x, y in zip(images.split(64), labels.split(64)))
    return round(right / len(labels), 4)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=0.001)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    classes = sorted(p.name for p in (args.folder / "train").iterdir())
    parts = {part: load(args.folder / part, classes, args.size) for part in ("train", "val", "test")}
    for seed in range(1, args.seeds + 1):
        start = time.perf_counter()
        model, losses = train(*parts["train"], len(classes), args, seed)
        seconds = time.perf_counter() - start
        print(json.dumps({
            "name": "torch", "version": torch.__version__, "seed": seed, "train_losses": losses,
            "val_accuracy": accuracy(model, *parts["val"]), "test_accuracy": accuracy(model, *parts["test"]),
            "train_seconds": round(seconds, 1),
        }), flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
