"""Writes the operator cases of the `onnx` package for `tests/onnx_cases.rs`.

    python dump.py [OUT]

They are the cases that `onnx.backend.test` generates for single operators (`collect_testcases`). Chosen are those of the
operators in OPERATORS: what the exported forms of today's image classifiers consist of, and what a library of arrays is
expected to have. Left out are cases of other element types than f32 (integers and booleans may be indices, shapes and
masks), and those of sequences and strings.

OUT (by default `target/onnx_cases` of this repository, where the tests look) gets `cases.json`, one case on a line, and
`cases.safetensors` with its arrays in f32, as ONNX has them: channels first. `models/` has the cases as files for
`tests/onnx_models.rs`: the first input is an input, the others are initialisers. `light/` has the light models of the
package for `tests/onnx_light.rs`.
"""

import json
import logging
import shutil
import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
import safetensors.numpy
from onnx.backend.test.case.node import collect_testcases

OPERATORS = """
    Conv ConvTranspose MaxPool AveragePool GlobalMaxPool GlobalAveragePool Resize
    BatchNormalization InstanceNormalization LayerNormalization GroupNormalization Dropout
    Relu LeakyRelu PRelu Elu Selu Gelu HardSigmoid HardSwish Sigmoid Softplus Mish Swish Tanh Clip Softmax LogSoftmax
    Add Sub Mul Div Sum Mean Max Min Pow Neg Abs Sqrt Exp Log Erf Reciprocal Where
    Gemm MatMul ReduceSum ReduceMean ReduceMax ReduceMin ArgMax
    Concat Split Slice Pad Gather Tile Expand Transpose Reshape Flatten Squeeze Unsqueeze Identity
""".split()


def plain(attribute):
    """An attribute as JSON has it: a number, a text, a list."""
    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode()
    return value if isinstance(value, (int, float, str)) else list(value)


def described(values, names, tensors):
    """Shape and content of a case's inputs or outputs; `None` where an optional one is absent."""
    values = iter(values)
    kept = []
    for name in names:
        if not name:
            kept.append(None)
            continue
        value = np.asarray(next(values))
        entry = {"shape": list(value.shape)}
        if value.dtype == np.float32:
            entry["tensor"] = f"{len(tensors):04}"
            tensors[entry["tensor"]] = np.ascontiguousarray(value)
        else:
            entry["integers"] = [int(v) for v in value.reshape(-1)]
        kept.append(entry)
    return kept


def as_model(case, inputs, path):
    """The case as a file whose only input is its first one."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    graph = model.graph
    for info, value in list(zip(graph.input, inputs))[1:]:
        graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(value), info.name))
    del graph.input[1:]
    onnx.save(model, path)


def is_single_precision(arrays):
    """Whether all are arrays, and f32 but for integers and booleans; at least one is f32."""
    if not all(isinstance(a, (np.ndarray, np.generic)) for a in arrays):
        return False
    floats = {a.dtype for a in arrays if a.dtype.kind not in "iub"}
    return floats == {np.dtype(np.float32)}


def main():
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[3] / "target" / "onnx_cases"
    out.mkdir(parents=True, exist_ok=True)
    warnings.filterwarnings("ignore")
    logging.disable()
    listed, tensors, left_out = [], {}, 0
    (out / "models").mkdir(exist_ok=True)
    light = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
    shutil.copytree(light, out / "light", dirs_exist_ok=True)
    for case in collect_testcases(None):
        nodes = case.model.graph.node
        if len(nodes) != 1 or nodes[0].op_type not in OPERATORS or nodes[0].domain not in ("", "ai.onnx"):
            continue
        node, (inputs, outputs) = nodes[0], case.data_sets[0]
        if not is_single_precision([*inputs, *outputs]):
            left_out += 1
            continue
        as_model(case, inputs, out / "models" / f"{case.name}.onnx")
        listed.append({
            "name": case.name,
            "op": node.op_type,
            "rtol": case.rtol,
            "atol": case.atol,
            "attributes": {a.name: plain(a) for a in node.attribute},
            "inputs": described(inputs, node.input, tensors),
            "outputs": described(outputs, node.output, tensors),
        })  # fmt: skip
    lines = ",\n".join(json.dumps(case) for case in listed)
    (out / "cases.json").write_text(f'{{"onnx": "{onnx.__version__}", "cases": [\n{lines}\n]}}\n')
    (out / "cases.safetensors").write_bytes(safetensors.numpy.save(tensors))
    print(f"{len(listed)} cases, {left_out} of other types left out, {len(tensors)} arrays")


if __name__ == "__main__":
    main()
