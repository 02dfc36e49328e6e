"""The whole job in Keras, as the notebook does it: train for ten epochs, evaluate, save. Prints one JSON line.

    python keras_train.py FOLDER        # a folder with train/ and test/, such as data/different_backgrounds

Beside it: `nn-cli train --data FOLDER`. Both are timed from the start of the process (the time to import TensorFlow is
part of what a user waits for, and told apart here).
"""

import argparse
import json
import os
import resource
import sys
import tempfile
import time

STARTED = time.perf_counter()
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import tensorflow as tf

IMPORTED = time.perf_counter()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(args.threads)
    keras.utils.set_random_seed(27)
    load = lambda part, **more: keras.utils.image_dataset_from_directory(
        os.path.join(args.folder, part), label_mode="categorical", batch_size=4, image_size=(256, 256), verbose=False, **more
    )
    split = {"validation_split": 0.125, "seed": 27}
    train, validation = load("train", subset="training", **split), load("train", subset="validation", **split)
    test = load("test", shuffle=False)
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((256, 256, 3)),
        layers.Rescaling(1.0 / 255),
        layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(),
        layers.Conv2D(128, 3, activation="relu"), layers.MaxPooling2D(),
        layers.Conv2D(128, 3, activation="relu"), layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(64, activation="relu"),
        layers.Dense(2, activation="softmax"),
    ])  # fmt: skip
    model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    model.fit(train, validation_data=validation, epochs=args.epochs, verbose=0)
    loss, accuracy = model.evaluate(test, verbose=0)
    with tempfile.TemporaryDirectory() as folder:
        model.save(os.path.join(folder, "model.keras"))
    seconds = time.perf_counter() - STARTED
    # Kilobytes on Linux, bytes on macOS.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform == "darwin" else 1 / 1024)
    print(json.dumps({
        "name": "keras", "version": keras.__version__, "test_loss": loss, "test_accuracy": accuracy,
        "seconds": round(seconds, 1), "importing_seconds": round(IMPORTED - STARTED, 1), "peak_mb": round(peak / 1e6),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
