"""Times the flagship training step in PyTorch and prints one JSON line.

Batch 4, 256x256x3, forward + backward + Adam, f32, the network of `nn-cli bench`. By default every way to run the
step is timed, in turns, and the fastest (by median) is reported: both memory formats, and, where this PyTorch has it,
`torch.compile`. Adam is the fused one where there is one for the CPU.
"""

import argparse
import json
import sys
import time

import numpy as np
import torch
from torch import nn

BATCH, SIZE, CLASSES = 4, 256, 2


class Rescaling(nn.Module):
    def forward(self, x):
        return x / 255


def network():
    side = ((SIZE - 2) // 2 - 2) // 2
    side = (side - 2) // 2
    return nn.Sequential(
        Rescaling(),
        nn.Conv2d(3, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, 128, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(128, 128, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(128 * side * side, 64), nn.ReLU(),
        nn.Linear(64, CLASSES),
    )  # fmt: skip


def adam(parameters):
    parameters = list(parameters)
    try:
        return torch.optim.Adam(parameters, lr=1e-3, eps=1e-7, fused=True)
    except (TypeError, RuntimeError):  # before 2.4 only for CUDA
        return torch.optim.Adam(parameters, lr=1e-3, eps=1e-7)


def step(images, labels, memory_format, compiled):
    model = network().to(memory_format=memory_format)
    optimizer = adam(model.parameters())
    loss_of = nn.CrossEntropyLoss()
    x = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(memory_format=memory_format)
    y = torch.from_numpy(labels)
    forward = torch.compile(model) if compiled else model

    def once():
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(forward(x), y)
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return once


VARIANTS = {
    "contiguous": (torch.contiguous_format, False),
    "channels_last": (torch.channels_last, False),
    "channels_last compiled": (torch.channels_last, True),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=20, help="timed steps of each variant")
    parser.add_argument("--warm-up", type=int, default=3)
    parser.add_argument("--variant", choices=VARIANTS, action="append", help="time only this one (repeatable)")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(27)
    rng = np.random.default_rng(27)
    images = rng.integers(0, 256, (BATCH, SIZE, SIZE, 3)).astype("float32")
    labels = np.array([0, 1, 0, 1])
    names = args.variant or [n for n in VARIANTS if hasattr(torch, "compile") or not VARIANTS[n][1]]
    steps = {}
    for name in names:
        try:
            steps[name] = step(images, labels, *VARIANTS[name])
            for _ in range(args.warm_up):
                steps[name]()
        except Exception as error:  # compiling needs a compiler that is not everywhere
            steps.pop(name, None)
            print(f"{name}: skipped, {type(error).__name__}: {str(error)[:200]}", file=sys.stderr)
    times = {name: [] for name in steps}
    for _ in range(args.steps):
        for name, once in steps.items():
            start = time.perf_counter()
            once()
            times[name].append((time.perf_counter() - start) * 1e3)
    all_ms = {n: {"median_ms": round(float(np.median(t)), 2), "min_ms": round(min(t), 2)} for n, t in times.items()}
    best = min(all_ms, key=lambda n: all_ms[n]["median_ms"])
    print(json.dumps({
        "name": "torch", "version": torch.__version__, "variant": best, **all_ms[best], "steps": args.steps,
        "threads": args.threads, "variants": all_ms,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
