"""The networks of `table.py` in PyTorch: `NETWORKS[name]` gives a module, the input's shape (channels first) and the classes.

They have as many parameters and multiply-adds as those of `networks.rs`; `table.py` compares both.
"""

import torch
import torchvision
from torch import nn


def mnist():
    return nn.Sequential(
        nn.Conv2d(1, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(7 * 7 * 64, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip


def vgg():
    layers, channels = [], 3
    for width in (32, 64, 128):
        for _ in range(2):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(4 * 4 * 128, 128), nn.ReLU(), nn.Linear(128, 10))


def convolutions(channels, widths, kernel, stride):
    layers = []
    for width in widths:
        layers += [nn.Conv2d(channels, width, kernel, stride, kernel // 2), nn.ReLU()]
        channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))


def mlp():
    return nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))


NETWORKS = {
    "mnist": (mnist, (1, 28, 28)),
    "vgg": (vgg, (3, 32, 32)),
    "strided": (lambda: convolutions(3, (64, 128, 256, 256), 3, 2), (3, 128, 128)),
    "pointwise": (lambda: convolutions(64, (256, 64, 256, 64), 1, 1), (64, 56, 56)),
    "mlp": (mlp, (784,)),
    "resnet18-64": (lambda: torchvision.models.resnet18(num_classes=10), (3, 64, 64)),
    "resnet18-224": (lambda: torchvision.models.resnet18(num_classes=10), (3, 224, 224)),
    "mobilenetv2-96": (lambda: torchvision.models.mobilenet_v2(num_classes=10), (3, 96, 96)),
    "mobilenetv2-224": (lambda: torchvision.models.mobilenet_v2(num_classes=10), (3, 224, 224)),
}


def multiply_adds(model, shape):
    """The multiply-adds of convolutions and dense layers for one image."""
    total = 0

    def count(layer, _, output):
        nonlocal total
        total += layer.weight.numel() * (output[0, 0].numel() if output.dim() == 4 else 1)

    hooks = [l.register_forward_hook(count) for l in model.modules() if isinstance(l, (nn.Conv2d, nn.Linear))]
    with torch.no_grad():
        model.eval()(torch.zeros(1, *shape))
    for hook in hooks:
        hook.remove()
    return total
