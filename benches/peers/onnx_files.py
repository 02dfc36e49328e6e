"""Times ONNX files in our engine beside ONNX Runtime, tract and rten, in turns, and prints a markdown table.

    cargo build --release -p nn-onnx --example onnx_file
    cargo build --release --manifest-path engines/Cargo.toml
    python onnx_files.py --ours ../../target/release/examples/onnx_file --engines engines/target/release/onnx-engines FILE..

Milliseconds: to open the file, and the medians of 20 predictions after a warm-up of 3, for each batch; each program runs
`--rounds` times, and the median of its medians counts. The sums of the outputs must agree. Where a program cannot read or
run a file, the cell is empty and the reason is printed below.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import numpy as np


def onnxruntime_run(path, batch, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    started = time.perf_counter()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    opened = (time.perf_counter() - started) * 1e3
    given = session.get_inputs()[0]
    shape = [batch, *given.shape[1:]]
    x = ((np.arange(np.prod(shape)) * 37 % 101).astype("float32") / np.float32(101) - np.float32(0.5)).reshape(shape)
    times = []
    for step in range(23):
        started = time.perf_counter()
        y = session.run(None, {given.name: x})[0]
        if step >= 3:
            times.append((time.perf_counter() - started) * 1e3)
    return {"open_ms": opened, "median_ms": statistics.median(times), "sum": float(y.astype("float64").sum())}


def input_shape(path):
    import onnx

    dims = onnx.load(path, load_external_data=False).graph.input[0].type.tensor_type.shape.dim
    return [str(dim.dim_value) for dim in dims[1:]]


def run(command, threads):
    variables = {"RAYON_NUM_THREADS": str(threads), "RTEN_NUM_THREADS": str(threads)}
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **variables})
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        raise RuntimeError(lines[0] if lines else f"ended with status {done.returncode}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--ours", required=True, metavar="PROGRAM")
    parser.add_argument("--engines", metavar="PROGRAM", help="the program for tract and rten; without it they are left out")
    parser.add_argument("--batch", type=int, action="append", help="default: 1, then 8 (repeatable)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    programs = ["nn", "onnxruntime", *(["tract", "rten"] if args.engines else [])]
    print("| file | batch | " + " | ".join(f"{p}: open, predict" for p in programs) + " | ratio to the best |")
    print("|---" * (len(programs) + 3) + "|")
    failures = {}
    for path in args.files:
        for batch in args.batch or (1, 8):
            commands = {
                "nn": lambda: run([args.ours, path, str(batch)], args.threads),
                "onnxruntime": lambda: onnxruntime_run(path, batch, args.threads),
            }
            for engine in programs[2:]:
                sizes = [str(batch), str(args.threads), *input_shape(path)]
                commands[engine] = lambda engine=engine, sizes=sizes: run([args.engines, engine, path, *sizes], args.threads)
            results = {program: [] for program in programs}
            for _ in range(args.rounds):
                for program in programs:
                    try:
                        results[program].append(commands[program]())
                    except Exception as error:
                        failures[program, os.path.basename(path), batch] = str(error).splitlines()[0][:200]
            sums = {p: r[0]["sum"] for p, r in results.items() if r}
            for program, total in sums.items():
                if abs(total - sums["nn"]) > 1e-3 * max(1.0, abs(sums["nn"])):
                    sys.exit(f"{path}: the outputs of {program} sum to {total}, ours to {sums['nn']}")
            cells, medians = [], {}
            for program, rows in results.items():
                if rows:
                    medians[program] = statistics.median(row["median_ms"] for row in rows)
                    opened = statistics.median(row["open_ms"] for row in rows)
                    cells.append(f"{opened:.1f}, {medians[program]:.2f}")
                else:
                    cells.append("")
            best = min((m for p, m in medians.items() if p != "nn"), default=None)
            ratio = f"{medians['nn'] / best:.2f}" if best and "nn" in medians else ""
            print(f"| {os.path.basename(path)} | {batch} | " + " | ".join(cells) + f" | {ratio} |", flush=True)
    for (program, file, batch), reason in failures.items():
        print(f"\n{program}, {file}, batch {batch}: {reason}")


if __name__ == "__main__":
    main()
