"""The networks of `table.py` in PyTorch: `NETWORKS[name]` gives a module, the input's shape (channels first) and the classes.

They have as many parameters and multiply-adds as those of `networks.rs`; `table.py` compares both.
"""

import torch
import torchvision
from torch import nn
from torchvision.models.convnext import CNBlockConfig, ConvNeXt


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


def convnext():
    """ConvNeXt in the sizes that timm calls atto, of torchvision's blocks."""
    sizes = [CNBlockConfig(40, 80, 2), CNBlockConfig(80, 160, 2), CNBlockConfig(160, 320, 6), CNBlockConfig(320, None, 2)]
    return ConvNeXt(sizes, num_classes=10)


class UNet(nn.Module):
    """A U-Net whose map at full resolution is averaged for the logits, so that its loss is that of the other networks."""

    def __init__(self, widths=(32, 64, 128, 256)):
        super().__init__()
        inputs = (3, *widths)
        self.down = nn.ModuleList(self.two_convolutions(i, o) for i, o in zip(inputs, widths))
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, 2) for w in widths[-2::-1])
        self.joined = nn.ModuleList(self.two_convolutions(2 * w, w) for w in widths[-2::-1])
        self.pool, self.dense = nn.MaxPool2d(2), nn.Linear(widths[0], 10)

    @staticmethod
    def two_convolutions(channels, width):
        layers = []
        for inputs in (channels, width):
            layers += [nn.Conv2d(inputs, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
        return nn.Sequential(*layers)

    def forward(self, x):
        skips = []
        for down in self.down[:-1]:
            skips.append(down(x))
            x = self.pool(skips[-1])
        x = self.down[-1](x)
        for up, joined in zip(self.up, self.joined):
            x = joined(torch.cat([skips.pop(), up(x)], 1))
        return self.dense(x.mean((2, 3)))


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
    "resnet50-224": (lambda: torchvision.models.resnet50(num_classes=10), (3, 224, 224)),
    "efficientnet_b0-224": (lambda: torchvision.models.efficientnet_b0(num_classes=10), (3, 224, 224)),
    "convnext": (convnext, (3, 224, 224)),
    "unet": (UNet, (3, 128, 128)),
}


def multiply_adds(model, shape):
    """The multiply-adds of convolutions and dense layers for one image: their weights, at each place where they serve."""
    total = 0

    def count(layer, inputs, output):
        nonlocal total
        transposed = isinstance(layer, nn.ConvTranspose2d)
        places = inputs[0].numel() // layer.in_channels if transposed else output.numel() // len(layer.weight)
        total += layer.weight.numel() * places

    counted = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
    hooks = [layer.register_forward_hook(count) for layer in model.modules() if isinstance(layer, counted)]
    with torch.no_grad():
        model.eval()(torch.zeros(1, *shape))
    for hook in hooks:
        hook.remove()
    return total
