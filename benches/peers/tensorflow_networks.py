"""The networks of `table.py` in Keras: `NETWORKS[name]` gives a function of the model, and the input's shape.

They have as many parameters and multiply-adds as those of `networks.rs`; `table.py` compares both. Where PyTorch pads both
sides of a strided convolution or pooling, "same" pads the right side only: as many products, and no padding layer.
"""

import keras
from keras import layers

EFFICIENTNET = [(1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3),
                (6, 5, 2, 192, 4), (6, 3, 1, 320, 1)]  # fmt: skip
MOBILENET = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]


def conv(x, filters, kernel=3, stride=1, activation="relu"):
    return layers.Conv2D(filters, kernel, stride, padding="same", activation=activation)(x)


def normalized(x, filters, kernel=3, stride=1, activation="relu"):
    """A convolution and batch normalisation; `filters` is None for a depthwise one."""
    if filters is None:
        x = layers.DepthwiseConv2D(kernel, stride, padding="same", use_bias=False)(x)
    else:
        x = layers.Conv2D(filters, kernel, stride, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)
    return layers.Activation(activation)(x) if activation else x


def mnist(x):
    for width in (32, 64):
        x = layers.MaxPooling2D()(conv(x, width, 5))
    return layers.Dense(128, activation="relu")(layers.Flatten()(x))


def vgg(x):
    for width in (32, 64, 128):
        x = layers.MaxPooling2D()(conv(conv(x, width), width))
    return layers.Dense(128, activation="relu")(layers.Flatten()(x))


def convolutions(widths, kernel, stride):
    def build(x):
        for width in widths:
            x = conv(x, width, kernel, stride)
        return layers.GlobalAveragePooling2D()(x)

    return build


def mlp(x):
    return layers.Dense(512, activation="relu")(layers.Dense(512, activation="relu")(x))


def resnet(counts, bottleneck=False):
    def build(x):
        x = layers.MaxPooling2D(3, 2, padding="same")(normalized(x, 64, 7, 2))
        for stage, count in enumerate(counts):
            width = 64 << stage
            out = width * (4 if bottleneck else 1)
            for i in range(count):
                stride = 2 if stage > 0 and i == 0 else 1
                short = x if stride == 1 and x.shape[-1] == out else normalized(x, out, 1, stride, None)
                if bottleneck:
                    y = normalized(normalized(normalized(x, width, 1), width, 3, stride), out, 1, 1, None)
                else:
                    y = normalized(normalized(x, width, 3, stride), width, 3, 1, None)
                x = layers.Activation("relu")(layers.Add()([y, short]))
        return layers.GlobalAveragePooling2D()(x)

    return build


def mobilenetv2(x):
    x = normalized(x, 32, 3, 2, "relu6")
    for expansion, filters, count, stride in MOBILENET:
        for i in range(count):
            channels, stride = x.shape[-1], stride if i == 0 else 1
            y = normalized(x, channels * expansion, 1, 1, "relu6") if expansion > 1 else x
            y = normalized(normalized(y, None, 3, stride, "relu6"), filters, 1, 1, None)
            x = layers.Add()([y, x]) if stride == 1 and channels == filters else y
    x = layers.GlobalAveragePooling2D()(normalized(x, 1280, 1, 1, "relu6"))
    return layers.Dropout(0.2)(x)


def efficientnet_b0(x):
    x, depth = normalized(x, 32, 3, 2, "silu"), 0
    for expansion, kernel, stride, filters, count in EFFICIENTNET:
        for i in range(count):
            channels, stride = x.shape[-1], stride if i == 0 else 1
            y = normalized(x, channels * expansion, 1, 1, "silu") if expansion > 1 else x
            y = normalized(y, None, kernel, stride, "silu")
            factor = layers.GlobalAveragePooling2D(keepdims=True)(y)
            factor = conv(conv(factor, channels // 4, 1, 1, "silu"), y.shape[-1], 1, 1, "sigmoid")
            y = normalized(layers.Multiply()([y, factor]), filters, 1, 1, None)
            if stride == 1 and channels == filters:
                y = layers.Add()([layers.Dropout(0.2 * depth / 16, noise_shape=(None, 1, 1, 1))(y), x])
            x, depth = y, depth + 1
    x = layers.GlobalAveragePooling2D()(normalized(x, 1280, 1, 1, "silu"))
    return layers.Dropout(0.2)(x)


class Scale(layers.Layer):
    """A factor for each channel."""

    def build(self, shape):
        self.factor = self.add_weight(shape=shape[-1:], initializer=keras.initializers.Constant(1e-6))

    def call(self, x):
        return x * self.factor


def convnext(x):
    def norm(x):
        return layers.LayerNormalization(epsilon=1e-6)(x)

    for stage, (count, channels) in enumerate([(2, 40), (2, 80), (6, 160), (2, 320)]):
        if stage == 0:
            x = norm(layers.Conv2D(channels, 4, 4)(x))
        else:
            x = layers.Conv2D(channels, 2, 2)(norm(x))
        for _ in range(count):
            y = norm(layers.DepthwiseConv2D(7, padding="same")(x))
            y = layers.Dense(channels)(layers.Dense(4 * channels, activation="gelu")(y))
            x = layers.Add()([Scale()(y), x])
    return norm(layers.GlobalAveragePooling2D()(x))


def unet(x):
    skips = []
    for width in (32, 64, 128):
        skips.append(normalized(normalized(x, width), width))
        x = layers.MaxPooling2D()(skips[-1])
    x = normalized(normalized(x, 256), 256)
    for skip in reversed(skips):
        width = skip.shape[-1]
        x = layers.Concatenate()([skip, layers.Conv2DTranspose(width, 2, 2)(x)])
        x = normalized(normalized(x, width), width)
    return layers.GlobalAveragePooling2D()(x)


NETWORKS = {
    "mnist": (mnist, (28, 28, 1)),
    "vgg": (vgg, (32, 32, 3)),
    "strided": (convolutions((64, 128, 256, 256), 3, 2), (128, 128, 3)),
    "pointwise": (convolutions((256, 64, 256, 64), 1, 1), (56, 56, 64)),
    "mlp": (mlp, (784,)),
    "resnet18-64": (resnet((2, 2, 2, 2)), (64, 64, 3)),
    "resnet18-224": (resnet((2, 2, 2, 2)), (224, 224, 3)),
    "mobilenetv2-96": (mobilenetv2, (96, 96, 3)),
    "mobilenetv2-224": (mobilenetv2, (224, 224, 3)),
    "resnet50-224": (resnet((3, 4, 6, 3), bottleneck=True), (224, 224, 3)),
    "efficientnet_b0-224": (efficientnet_b0, (224, 224, 3)),
    "convnext": (convnext, (224, 224, 3)),
    "unet": (unet, (128, 128, 3)),
}


def network(name):
    build, shape = NETWORKS[name]
    x = keras.Input(shape)
    return keras.Model(x, layers.Dense(10)(build(x)))


def parameters(model):
    return sum(int(keras.ops.size(v)) for v in model.trainable_variables)


def multiply_adds(model):
    """The multiply-adds of convolutions and dense layers for one image: their weights, at each place where they serve."""
    total = 0
    for layer in model.layers:
        if isinstance(layer, (layers.Conv2D, layers.DepthwiseConv2D, layers.Conv2DTranspose, layers.Dense)):
            transposed = isinstance(layer, layers.Conv2DTranspose)
            places = 1
            for size in (layer.input if transposed else layer.output).shape[1:-1]:
                places *= size
            total += int(keras.ops.size(layer.kernel)) * places
    return total
