"""Runs our training step and its peers in turns, on one machine in one go, and prints the ratios.

    python compare.py --ours ../../target/release/examples/step

Every command prints a JSON document (or a last line of JSON) with `median_ms` and `min_ms`, or
`step_ms: {median, min}`. Each round runs every command once, in an order that turns with the round, so that a
machine that warms up or gets busy treats all alike. Times are in milliseconds, ratios are ours over theirs.
"""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def measure(name, command):
    """Runs a command and returns its median and fastest step."""
    done = subprocess.run(shlex.split(command), capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{name}: `{command}` ended with status {done.returncode}:\n{done.stderr[-2000:]}")
    return times(name, done.stdout)


def times(name, output):
    """Median and minimum out of what a command printed."""
    lines = output.strip().splitlines() or [""]
    for text in (output, lines[-1]):
        try:
            document = json.loads(text)
        except json.JSONDecodeError:
            continue
        step = document.get("step_ms", {})
        median, least = document.get("median_ms", step.get("median")), document.get("min_ms", step.get("min"))
        if median is not None:
            return float(median), float(least if least is not None else median)
    sys.exit(f"{name}: expected JSON with median_ms (or step_ms.median) on stdout, received: {output[-300:]!r}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", required=True, metavar="COMMAND", help="our benchmark")
    parser.add_argument("--peer", action="append", metavar="NAME=COMMAND", help="default: TensorFlow (repeatable)")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    # tf.function was the fastest variant when all were timed; tensorflow_step.py alone times them all.
    tensorflow = shlex.join([sys.executable, str(HERE / "tensorflow_step.py"), "--variant", "tf.function"])
    peers = dict(p.split("=", 1) for p in args.peer) if args.peer else {"tensorflow": tensorflow}
    commands = {"ours": args.ours, **peers}

    measured = {name: [] for name in commands}
    order = list(commands)
    for r in range(args.rounds):
        turn = r % len(order)
        for name in order[turn:] + order[:turn]:
            measured[name].append(measure(name, commands[name]))
            median, least = measured[name][-1]
            print(f"round {r + 1}: {name} median {median:.1f} min {least:.1f} ms", file=sys.stderr)

    result = {
        name: {"median_ms": round(statistics.median(m for m, _ in runs), 2), "min_ms": round(min(l for _, l in runs), 2)}
        for name, runs in measured.items()
    }
    ours = result["ours"]
    for name in peers:
        result[name]["ratio_median"] = round(ours["median_ms"] / result[name]["median_ms"], 3)
        result[name]["ratio_min"] = round(ours["min_ms"] / result[name]["min_ms"], 3)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    print(json.dumps({"rounds": args.rounds, "load_average": load, **result}))


if __name__ == "__main__":
    main()
