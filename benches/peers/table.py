"""Times our networks beside PyTorch and ONNX Runtime, in turns, and prints a markdown table.

    cargo build --release -p nn-core --example network && python table.py --ours ../../target/release/examples/network

Run it with a Python that has torch, torchvision, onnx and onnxruntime; a peer that is not installed is named and left out.
`floor` is the time of the multiply-adds at the measured peak: one forward pass, or for a step three without the first
layer's input gradient. The ratio is ours over the best peer; memory is the peak of the process, libraries included.
"""

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
NETWORKS = {
    "mnist": 64, "vgg": 32, "strided": 16, "pointwise": 8, "mlp": 128, "resnet18-64": 16, "resnet18-224": 4,
    "mobilenetv2-96": 16, "mobilenetv2-224": 4,
}  # fmt: skip
PEERS = {"contiguous": ["torch", "torchvision"], "channels_last": ["torch", "torchvision"],
         "onnxruntime": ["torch", "torchvision", "onnx", "onnxruntime"]}  # fmt: skip


def run(command, threads):
    environment = {**os.environ, "RAYON_NUM_THREADS": str(threads)}
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
            commands[peer] = [sys.executable, str(HERE / "torch_network.py"), name, "--backend", peer,
                              "--batch", str(batch), "--threads", str(threads), *flag]  # fmt: skip
    runs, order = {program: [] for program in commands}, list(commands)
    for r in range(args.rounds):
        turn = r % len(order)
        for program in order[turn:] + order[:turn]:
            runs[program].append(run(commands[program], threads))
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
    cells.append(" / ".join(f"{r['peak_mb']:.0f}" for r in results.values()))
    return "| " + " | ".join(map(str, cells)) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", required=True, metavar="PROGRAM", help="the example `network`")
    parser.add_argument("--network", choices=NETWORKS, action="append", help="only this one (repeatable)")
    parser.add_argument("--threads", type=int, action="append", help="default: 2, then 1 (repeatable)")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    peers = []
    for peer, modules in PEERS.items():
        missing = [m for m in modules if importlib.util.find_spec(m) is None]
        if missing:
            print(f"{peer}: missing, not installed: {', '.join(missing)}")
        else:
            peers.append(peer)
    print("| network | batch | threads | pass | ours, ms | " + " | ".join(PEERS) + " | ratio to the best | floor | MB, in the same order |")
    print("|---" * (len(PEERS) + 8) + "|")
    for name in args.network or NETWORKS:
        for threads in args.threads or (2, 1):
            for batch, forward in ((NETWORKS[name], False), (NETWORKS[name], True), (1, True)):
                print(row(name, batch, threads, forward, measure(args, peers, name, batch, threads, forward)), flush=True)
    print(f"\nLoad average at the end: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
