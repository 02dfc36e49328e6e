"""Times the flagship training step in Keras/TensorFlow and prints one JSON line.

Batch 4, 256x256x3, forward + backward + Adam, f32, the network of `nn-cli bench`. By default every way to run the
step is timed, in turns, and the fastest (by median) is reported: `tf.function`, `tf.function(jit_compile=True)` and
Keras's `train_on_batch` with and without jit.
"""

import argparse
import json
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import numpy as np
import tensorflow as tf

BATCH, SIZE, CLASSES = 4, 256, 2


def network():
    layers = keras.layers
    return keras.Sequential([
        keras.Input((SIZE, SIZE, 3)),
        layers.Rescaling(1.0 / 255),
        layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(),
        layers.Conv2D(128, 3, activation="relu"), layers.MaxPooling2D(),
        layers.Conv2D(128, 3, activation="relu"), layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(64, activation="relu"),
        layers.Dense(CLASSES),
    ])  # fmt: skip


def function_step(images, labels, jit):
    """The step as one graph, with the optimiser in it and nothing but the loss coming out."""
    model, optimizer = network(), keras.optimizers.Adam(1e-3)
    optimizer.build(model.trainable_variables)
    loss_of = keras.losses.CategoricalCrossentropy(from_logits=True)

    @tf.function(jit_compile=jit)
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = loss_of(y, model(x, training=True))
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(loss, [v.value for v in variables]), variables)
        return loss

    x, y = tf.constant(images), tf.constant(labels)
    return lambda: float(step(x, y))


def keras_step(images, labels, jit):
    """The step as Keras's user writes it."""
    model = network()
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=loss, jit_compile=jit)
    x, y = tf.constant(images), tf.constant(labels)
    return lambda: float(model.train_on_batch(x, y))


VARIANTS = {
    "tf.function": lambda x, y: function_step(x, y, False),
    "tf.function jit": lambda x, y: function_step(x, y, True),
    "train_on_batch": lambda x, y: keras_step(x, y, False),
    "train_on_batch jit": lambda x, y: keras_step(x, y, True),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=20, help="timed steps of each variant")
    parser.add_argument("--warm-up", type=int, default=3)
    parser.add_argument("--variant", choices=VARIANTS, action="append", help="time only this one (repeatable)")
    args = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(args.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)

    keras.utils.set_random_seed(27)
    rng = np.random.default_rng(27)
    images = rng.integers(0, 256, (BATCH, SIZE, SIZE, 3)).astype("float32")
    labels = np.eye(CLASSES, dtype="float32")[[0, 1, 0, 1]]
    names = args.variant or list(VARIANTS)
    steps = {}
    for name in names:
        try:
            steps[name] = VARIANTS[name](images, labels)
            for _ in range(args.warm_up):
                steps[name]()
        except Exception as error:  # jit is not available on every platform
            steps.pop(name, None)
            print(f"{name}: skipped, {type(error).__name__}: {str(error)[:200]}", file=sys.stderr)
    times = {name: [] for name in steps}
    for _ in range(args.steps):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            times[name].append((time.perf_counter() - start) * 1e3)
    all_ms = {n: {"median_ms": round(float(np.median(t)), 2), "min_ms": round(min(t), 2)} for n, t in times.items()}
    best = min(all_ms, key=lambda n: all_ms[n]["median_ms"])
    print(json.dumps({
        "name": "tensorflow", "version": tf.__version__, "keras": keras.__version__, "variant": best,
        **all_ms[best], "steps": args.steps, "threads": args.threads, "variants": all_ms,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
