"""Times our networks beside TensorFlow, PyTorch and ONNX Runtime, in turns, and prints a markdown table.

    cargo build --release -p nn-core --example network
    python table.py --ours ../../target/release/examples/network --tensorflow tf/bin/python

Run it with a Python that has torch, torchvision, onnx and onnxruntime, and name one that has tensorflow; a peer that is not
installed is named and left out. TensorFlow runs steps and predictions as a `tf.function`. `floor` is the time of the
multiply-adds at the measured peak: one forward pass, or for a step three without the first layer's input gradient. The ratio
is ours over the best peer; memory is the peak above what the process takes before its first pass.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
NETWORKS = {
    "mnist": 64, "vgg": 32, "strided": 16, "pointwise": 8, "mlp": 128, "resnet18-64": 16, "resnet18-224": 4,
    "mobilenetv2-96": 16, "mobilenetv2-224": 4, "resnet50-224": 4, "efficientnet_b0-224": 4, "convnext": 4, "unet": 4,
}  # fmt: skip
PEERS = {"tensorflow": ["tensorflow"], "contiguous": ["torch", "torchvision"], "channels_last": ["torch", "torchvision"],
         "onnxruntime": ["torch", "torchvision", "onnx", "onnxruntime"]}  # fmt: skip
AVX2 = {"NN_KERNEL": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}


def missing(python, modules):
    """Those of the modules that a Python does not have."""
    script = "import importlib.util, sys; print(*(m for m in sys.argv[1:] if importlib.util.find_spec(m) is None))"
    return subprocess.run([python, "-c", script, *modules], capture_output=True, text=True, check=True).stdout.split()


def available(args):
    """The peers that can be run; the others are named."""
    peers = []
    for peer, modules in PEERS.items():
        if peer == "tensorflow" and args.tensorflow is None:
            print("tensorflow: missing, say which Python has it: --tensorflow PYTHON")
        elif peer == "onnxruntime" and args.avx2:
            print("onnxruntime: left out, it cannot be held to AVX2")
        elif absent := missing(args.tensorflow if peer == "tensorflow" else sys.executable, modules):
            print(f"{peer}: missing, not installed: {', '.join(absent)}")
        else:
            peers.append(peer)
    return peers


def run(command, threads, avx2):
    environment = {**os.environ, "RAYON_NUM_THREADS": str(threads), **(AVX2 if avx2 else {})}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        sys.exit(f"`{' '.join(command)}` ended with status {done.returncode}:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def measure(args, peers, name, batch, threads, forward):
    """The result of each program: the median of its rounds' medians, and what else it printed."""
    flag = ["--forward"] if forward else []
    commands = {"ours": [args.ours, name, str(batch), *flag]}
    for peer in peers:
        if forward or peer != "onnxruntime":
            if peer == "tensorflow":
                program = [args.tensorflow, str(HERE / "tensorflow_network.py"), name]
            else:
                program = [sys.executable, str(HERE / "torch_network.py"), name, "--backend", peer]
            commands[peer] = [*program, "--batch", str(batch), "--threads", str(threads), *flag]
    runs, order = {program: [] for program in commands}, list(commands)
    for r in range(args.rounds):
        turn = r % len(order)
        for program in order[turn:] + order[:turn]:
            runs[program].append(run(commands[program], threads, args.avx2))
    for program, results in runs.items():
        for key in ("parameters", "multiply_adds"):
            if results[0][key] != runs["ours"][0][key]:
                sys.exit(f"{name}: {key} of {program} are {results[0][key]}, ours {runs['ours'][0][key]}")
    return {p: {**rs[0], "median_ms": statistics.median(r["median_ms"] for r in rs)} for p, rs in runs.items()}


def row(name, batch, threads, forward, results):
    ours = results["ours"]
    products = ours["multiply_adds"] * (1 if forward else 3) - (0 if forward else ours["first_multiply_adds"])
    floor = 2 * products * batch / ours["peak_gflops"] / 1e6
    peers = {p: r for p, r in results.items() if p != "ours"}
    best = min((r["median_ms"] for r in peers.values()), default=None)
    cells = [name, batch, threads, "forward" if forward else "step", f"{ours['median_ms']:.2f}"]
    cells += [f"{peers[p]['median_ms']:.2f}" if p in peers else "" for p in PEERS]
    cells += [f"{ours['median_ms'] / best:.2f}" if best else "", f"{floor:.2f}"]
    cells.append(" / ".join(f"{r['working_mb']:.0f}" for r in results.values()))
    return "| " + " | ".join(map(str, cells)) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", required=True, metavar="PROGRAM", help="the example `network`")
    parser.add_argument("--tensorflow", metavar="PYTHON", help="a Python that has tensorflow")
    parser.add_argument("--avx2", action="store_true", help="hold every program to AVX2 (onnxruntime cannot be: left out)")
    parser.add_argument("--network", choices=NETWORKS, action="append", help="only this one (repeatable)")
    parser.add_argument("--threads", type=int, action="append", help="default: 2, then 1 (repeatable)")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    peers = available(args)
    if args.avx2:
        print(f"Every program is held to AVX2 by {' '.join(f'{k}={v}' for k, v in AVX2.items())}.\n")
    print("| network | batch | threads | pass | ours, ms | " + " | ".join(PEERS) + " | ratio to the best | floor | MB, in the same order |")
    print("|---" * (len(PEERS) + 8) + "|")
    for name in args.network or NETWORKS:
        for threads in args.threads or (2, 1):
            for batch, forward in ((NETWORKS[name], False), (NETWORKS[name], True), (1, True)):
                print(row(name, batch, threads, forward, measure(args, peers, name, batch, threads, forward)), flush=True)
    print(f"\nLoad average at the end: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
