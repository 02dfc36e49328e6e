"""Times the network's forward pass in ONNX Runtime and prints one JSON line.

    python onnx_forward.py --batch 1

The network of `nn-cli bench` with random weights, 256x256x3, f32, built here with the `onnx` package, without PyTorch.
Ours, beside it: `step --forward --batch 1` (`step.rs`).
"""

import argparse
import json
import time

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

SIZE, CLASSES = 256, 2


def network(batch):
    """The model, channels first as ONNX wants it; rescaling is part of it."""
    rng = np.random.default_rng(27)
    nodes, weights, value, channels, side = [], [], "x", 3, SIZE

    def weight(name, *shape):
        fan = int(np.prod(shape[1:])) or 1
        array = (rng.standard_normal(shape) / np.sqrt(fan)).astype("float32")
        weights.append(numpy_helper.from_array(array, name))
        return name

    def node(kind, *inputs, **attributes):
        nonlocal value
        output = f"v{len(nodes)}"
        nodes.append(helper.make_node(kind, [value, *inputs], [output], **attributes))
        value = output

    weights.append(numpy_helper.from_array(np.float32(1 / 255), "scale"))
    node("Mul", "scale")
    for i, out in enumerate([64, 128, 128]):
        node("Conv", weight(f"w{i}", out, channels, 3, 3), weight(f"b{i}", out), kernel_shape=[3, 3])
        node("Relu")
        node("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
        channels, side = out, (side - 2) // 2
    node("Flatten")
    node("Gemm", weight("w3", 64, channels * side * side), weight("b3", 64), transB=1)
    node("Relu")
    node("Gemm", weight("w4", CLASSES, 64), weight("b4", CLASSES), transB=1)
    graph = helper.make_graph(
        nodes, "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 3, SIZE, SIZE])],
        [helper.make_tensor_value_info(value, TensorProto.FLOAT, [batch, CLASSES])],
        weights,
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--warm-up", type=int, default=5)
    args = parser.parse_args()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    session = onnxruntime.InferenceSession(network(args.batch), options, providers=["CPUExecutionProvider"])
    x = np.random.default_rng(27).integers(0, 256, (args.batch, 3, SIZE, SIZE)).astype("float32")
    times = []
    for step in range(args.warm_up + args.steps):
        start = time.perf_counter()
        session.run(None, {"x": x})
        if step >= args.warm_up:
            times.append((time.perf_counter() - start) * 1e3)
    print(json.dumps({
        "name": "onnxruntime", "version": onnxruntime.__version__, "batch": args.batch, "threads": args.threads,
        "median_ms": round(float(np.median(times)), 2), "min_ms": round(min(times), 2), "steps": args.steps,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
