"""Checks ONNX files that we wrote, and compares their outputs in ONNX Runtime with ours.

    python -m venv v && v/bin/pip install onnx onnxruntime
    v/bin/python check.py FOLDER

For each NAME.onnx of the folder, whose weights may lie beside it, there are
    NAME.input   [batch, ..]  f32 as the file's input lies in memory, little-endian
    NAME.output  [batch, ..]  f32, what we compute of it
The batch follows from the number of bytes. A file is wrong if onnx.checker does not pass it with all shapes inferred and
no warning, if it has transposes beyond what NAME.transposes says (none if that is missing), or if an output differs by more
than 1e-5 of the largest one. Prints a line for each; ends with status 1 if one is wrong.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

TOLERANCE = 1e-5


def numbers(path, dims):
    return np.fromfile(path, "<f4").reshape(-1, *dims[1:])


def check(path):
    """The largest difference of an output, and the number of transposes."""
    onnx.checker.check_model(str(path), full_check=True)
    model = onnx.load(str(path))
    inferred = onnx.shape_inference.infer_shapes_path(str(path), str(path.with_suffix(".inferred")), strict_mode=True)
    assert inferred is None
    path.with_suffix(".inferred").unlink()
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 17)], model.opset_import
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    [given] = session.get_inputs()
    assert given.shape[0] == "batch", given.shape
    x = numbers(path.with_suffix(".input"), given.shape)
    output = session.get_outputs()[0]
    assert output.shape[0] == "batch", output.shape
    expected = numbers(path.with_suffix(".output"), output.shape)
    assert expected.shape[0] == x.shape[0]
    received = session.run([output.name], {given.name: x})[0]
    assert received.shape == expected.shape, (received.shape, expected.shape)
    assert np.isfinite(expected).all()
    difference = np.abs(received - expected).max() / max(np.abs(expected).max(), 1e-3)
    return difference, sum(node.op_type == "Transpose" for node in model.graph.node)


def main():
    paths = sorted(Path(sys.argv[1]).glob("*.onnx"))
    wrong = 0
    for path in paths:
        allowed = path.with_suffix(".transposes")
        allowed = int(allowed.read_text()) if allowed.exists() else 0
        try:
            difference, transposes = check(path)
            is_wrong = not difference <= TOLERANCE or transposes > allowed
            print(f"{path.stem:32} {difference:.1e}  {transposes} transposes{'  WRONG' if is_wrong else ''}")
        except Exception as error:  # whatever it is, the others are checked too
            is_wrong = True
            print(f"{path.stem:32} WRONG: {error}")
        wrong += is_wrong
    print(f"{len(paths)} files, {wrong} wrong; onnx {onnx.__version__}, onnxruntime {onnxruntime.__version__}")
    sys.exit(wrong > 0 or not paths)


if __name__ == "__main__":
    main()
