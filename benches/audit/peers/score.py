"""Scores `nn-cli audit` on the folders of `situations.py`: copies found, false pairs, time, memory.

`python score.py NN_CLI SETS [--only PART..] [--show 2]`. A pair is right if a chain of planted copies joins its two
images, none of the scorer's business if both are in one `either` group, and false otherwise. `scenes` in the
audit's answer (same scene or template) are counted beside and judged by nobody.
"""

import argparse
import json
import os
import pathlib
import subprocess
import tempfile
import time


def roots(truth):
    """For each image, a name of its family: two images are copies if and only if it is the same."""
    parent = {}

    def find(x):
        while parent.setdefault(x, x) != x:
            x = parent[x]
        return x

    for a, b, _ in truth["copies"]:
        parent[find(a)] = find(b)
    return find


def audit(nn, folder):
    """The answer, seconds, peak memory in MB."""
    with tempfile.TemporaryFile("w+") as out:
        started = time.time()
        process = subprocess.Popen([nn, "audit", folder, "--json", "--quiet"], stdout=out, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.time() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        text = out.read()
    if not text:
        raise SystemExit(f"{folder}: no answer, status {process.returncode}")
    return json.loads(text), seconds, usage.ru_maxrss / 1024


def judge(truth, pairs):
    """By kind of change [found, planted], and the false pairs."""
    find = roots(truth)
    either = {}
    for number, group in enumerate(truth["either"]):
        for image in group:
            either.setdefault(image, set()).add(number)
    kinds, found = {}, {frozenset((p["a"], p["b"])) for p in pairs}
    joined = roots({"copies": [(a, b, "") for a, b in map(tuple, found)]})
    for a, b, kind in truth["copies"]:
        row = kinds.setdefault(kind, [0, 0])
        row[0] += joined(a) == joined(b)
        row[1] += 1
    false = [p for p in pairs if find(p["a"]) != find(p["b"]) and not either.get(p["a"], set()) & either.get(p["b"], set())]
    return kinds, false


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("nn")
    parser.add_argument("sets", type=pathlib.Path)
    parser.add_argument("--only", nargs="*", default=[""])
    parser.add_argument("--show", type=int, default=2, help="how many false pairs to name")
    options = parser.parse_args()
    by_kind, rows = {}, []
    print(f"{'folder':30} {'images':>6} {'found':>9} {'false':>6} {'scenes':>6} {'s':>6} {'MB':>5}", flush=True)
    for file in sorted(options.sets.glob("*.json")):
        if not any(part in file.stem for part in options.only):
            continue
        truth = json.loads(file.read_text())
        answer, seconds, memory = audit(options.nn, file.with_suffix(""))
        kinds, false = judge(truth, answer["pairs"])
        hit, planted = (sum(row[k] for row in kinds.values()) for k in (0, 1))
        share = f"{hit}/{planted}" if planted else "-"
        print(f"{file.stem:30} {answer['summary']['images']:6} {share:>9} {len(false):6} {len(answer.get('scenes', [])):6} "
              f"{seconds:6.2f} {memory:5.0f}", flush=True)
        for pair in false[:options.show]:
            print(f"      false: {pair['a']}  {pair['b']}  {pair['change'] or pair['kind']} {pair['distance']:.3g}")
        missed = {kind: f"{h}/{n}" for kind, (h, n) in kinds.items() if h < n}
        if missed:
            print("      missed:", "  ".join(f"{kind} {share}" for kind, share in missed.items()))
        group = "photographs" if file.stem.startswith("photos") else "drawn and digits"
        for kind, (h, n) in kinds.items():
            row = by_kind.setdefault((group, kind), [0, 0])
            row[0] += h
            row[1] += n
        rows.append((file.stem, hit, planted, len(false)))
    print(f"\n{len(rows)} folders: {sum(r[1] for r in rows)} of {sum(r[2] for r in rows)} copies found, "
          f"{sum(r[3] for r in rows)} false pairs in {sum(r[3] > 0 for r in rows)} folders")
    for (group, kind), (h, n) in sorted(by_kind.items()):
        print(f"   {group:18} {kind:18} {h:5} of {n:5}  {100 * h / n:5.1f} %")


main()
