"""Times one network of `tensorflow_networks.py`, a step or its forward pass, each one `tf.function`: one line of JSON."""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import tensorflow as tf
from tensorflow_networks import NETWORKS, multiply_adds, network, parameters
from timed import report


def prepare(model, x, forward):
    if forward:
        predict = tf.function(lambda x: model(x, training=False))
        return lambda: predict(x).numpy()
    optimizer, loss_of = keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer.build(model.trainable_variables)
    labels = tf.range(len(x)) % 10

    @tf.function
    def step(x, labels):
        with tf.GradientTape() as tape:
            loss = loss_of(labels, model(x, training=True))
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(loss, [v.value for v in variables]), variables)
        return loss

    return lambda: float(step(x, labels))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--forward", action="store_true")
    parser.add_argument("--steps", type=int, default=20)
    args = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(args.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    keras.utils.set_random_seed(27)
    model = network(args.network)
    x = tf.random.uniform((args.batch, *model.input_shape[1:]))
    run = prepare(model, x, args.forward)
    report(run, args.steps, parameters=parameters(model), multiply_adds=multiply_adds(model))


if __name__ == "__main__":
    main()
