"""Trains a recipe of Keras' tutorials on a folder with train/, val/ and test/. Prints one JSON line.

    python keras_train.py FOLDER SEED --recipe tutorial|augmented|normalised|xception [--epochs 50] [--patience 12] [--flip]

tutorial     "Image classification" of tensorflow.org: three convolutions with pooling, a dense layer of 128; Adam.
augmented    the same with that tutorial's cure for overfitting: random flips, turns and zooms, and dropout.
normalised   convolutions in pairs with batch normalisation, pooling and growing dropout, as usual for CIFAR-10, with random
             turns, shifts and zooms.
xception     "Image classification from scratch" of keras.io: a small Xception, with its augmentation; at a quarter of its
             widths, as images here are of 32 pixels and not of 180.

Flips are left out unless --flip is given: they are no help where left and right matter. Training ends after --patience
epochs without a higher validation accuracy, and the best epoch's weights are restored.
"""

import argparse
import json
import os
import time

STARTED = time.perf_counter()
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
from keras import layers

IMPORTED = time.perf_counter()


def tutorial(classes, _augmentation):
    return [
        layers.Rescaling(1.0 / 255),
        layers.Conv2D(16, 3, padding="same", activation="relu"), layers.MaxPooling2D(),
        layers.Conv2D(32, 3, padding="same", activation="relu"), layers.MaxPooling2D(),
        layers.Conv2D(64, 3, padding="same", activation="relu"), layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(128, activation="relu"),
        layers.Dense(classes),
    ]  # fmt: skip


def augmented(classes, flips):
    *body, dense, last = tutorial(classes, flips)
    flatten = body.pop()
    augmentation = [*flips, layers.RandomRotation(0.1), layers.RandomZoom(0.1)]
    return [*augmentation, *body, layers.Dropout(0.2), flatten, dense, last]


def normalised(classes, flips):
    result = [*flips, layers.RandomRotation(0.05), layers.RandomTranslation(0.1, 0.1), layers.RandomZoom(0.1)]
    result.append(layers.Rescaling(1.0 / 255))
    for filters, dropout in [(32, 0.2), (64, 0.3), (128, 0.4)]:
        for _ in range(2):
            result.append(layers.Conv2D(filters, 3, padding="same", activation="relu"))
            result.append(layers.BatchNormalization())
        result += [layers.MaxPooling2D(), layers.Dropout(dropout)]
    dense = [layers.Dense(128, activation="relu"), layers.BatchNormalization(), layers.Dropout(0.5)]
    return [*result, layers.Flatten(), *dense, layers.Dense(classes)]


def xception(classes, flips):
    def network(x):
        for layer in [*flips, layers.RandomRotation(0.1), layers.Rescaling(1.0 / 255)]:
            x = layer(x)
        normalised = lambda x: layers.BatchNormalization()(x)
        relu = lambda x: layers.Activation("relu")(x)
        x = relu(normalised(layers.Conv2D(32, 3, strides=2, padding="same")(x)))
        before = x
        for size in (64, 128, 182):
            for _ in range(2):
                x = normalised(layers.SeparableConv2D(size, 3, padding="same")(relu(x)))
            x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
            x = layers.add([x, layers.Conv2D(size, 1, strides=2, padding="same")(before)])
            before = x
        x = relu(normalised(layers.SeparableConv2D(256, 3, padding="same")(x)))
        return layers.Dense(classes)(layers.Dropout(0.25)(layers.GlobalAveragePooling2D()(x)))

    return network


# The recipe, its learning rate of Adam, and the epochs before patience counts: at such small rates the slow running statistics of
# batch normalisation leave validation at guessing for up to a dozen epochs.
RECIPES = {
    "tutorial": (tutorial, 1e-3, 0),
    "augmented": (augmented, 1e-3, 0),
    "normalised": (normalised, 1e-3, 0),
    "xception": (xception, 3e-4, 12),
}
BATCH = 32


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("seed", type=int)
    parser.add_argument("--recipe", choices=RECIPES, required=True)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--patience", type=int, default=12)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--grey", action="store_true")
    parser.add_argument("--flip", action="store_true")
    args = parser.parse_args()
    keras.utils.set_random_seed(args.seed)
    recipe, rate, settled = RECIPES[args.recipe]
    channels = 1 if args.grey else 3

    def load(part, **more):
        images = keras.utils.image_dataset_from_directory(
            os.path.join(args.folder, part), image_size=(args.size, args.size), batch_size=None, verbose=False,
            color_mode="grayscale" if args.grey else "rgb", **more,
        )  # fmt: skip
        # Decoded once; the order and the company of images change in each epoch.
        return images.cache(), len(images.class_names)

    (train, classes), (val, _), (test, _) = (load(part, shuffle=False) for part in ("train", "val", "test"))
    train = train.shuffle(len(train), seed=args.seed).batch(BATCH).prefetch(2)
    val, test = val.batch(BATCH).prefetch(2), test.batch(BATCH)
    flips = [layers.RandomFlip("horizontal")] if args.flip else []
    network = recipe(classes, flips)
    image = keras.Input((args.size, args.size, channels))
    if isinstance(network, list):
        model = keras.Sequential([image, *network])
    else:
        model = keras.Model(image, network(image))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(rate), loss=loss, metrics=["accuracy"])
    stop = keras.callbacks.EarlyStopping(
        monitor="val_accuracy", patience=args.patience, restore_best_weights=True, start_from_epoch=settled
    )
    history = model.fit(train, validation_data=val, epochs=args.epochs, callbacks=[stop], verbose=0)
    accuracy = {name: model.evaluate(part, verbose=0)[1] for name, part in {"val": val, "test": test}.items()}
    ended = time.perf_counter()
    print(json.dumps({
        "setting": args.recipe, "seed": args.seed, "val": accuracy["val"], "test": accuracy["test"],
        "epochs": len(history.epoch), "seconds": round(ended - STARTED, 2), "without_imports": round(ended - IMPORTED, 2),
        "parameters": model.count_params(), "version": keras.__version__,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
