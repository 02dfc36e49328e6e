"""Scores `nn-cli audit` on the folders of `situations.py`: copies found, false pairs, time, memory.

`python score.py NN_CLI SETS [--only PART..] [--show 2] [--save FILE] [--before FILE]`. A copy is found if pairs join
it to its original. Pairs that the audit lists as `scenes` (same scene or template) are counted beside and judged by
nobody. `--save` keeps the counts; `--before` shows those of an earlier run beside.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile
import time

import truth


def audit(nn, folder):
    """The answer, seconds, peak memory in MB."""
    with tempfile.TemporaryFile("w+") as out:
        started, memory = time.time(), 0
        process = subprocess.Popen([nn, "audit", folder, "--json", "--quiet"], stdout=out, stderr=subprocess.DEVNULL)
        while process.poll() is None:
            try:
                status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
                memory = int(status.split("VmHWM:")[1].split()[0])
            except (OSError, IndexError):
                pass
            time.sleep(0.005)
        seconds = time.time() - started
        out.seek(0)
        text = out.read()
    if not text:
        raise SystemExit(f"{folder}: no answer, status {process.returncode}")
    return json.loads(text), seconds, memory / 1024


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("nn")
    parser.add_argument("sets", type=pathlib.Path)
    parser.add_argument("--only", nargs="*", default=[""])
    parser.add_argument("--show", type=int, default=2, help="how many false pairs to name")
    parser.add_argument("--save", type=pathlib.Path)
    parser.add_argument("--before", type=pathlib.Path)
    options = parser.parse_args()
    before = json.loads(options.before.read_text()) if options.before else {"folders": {}, "kinds": {}}
    heads = f"{'found':>9} {'false':>6}"
    print(f"{'folder':32} {'images':>6} {heads} {'scenes':>6} {'s':>6} {'MB':>5}", "  before:" + heads if options.before else "")
    rows, by_kind = {}, {}
    share = lambda row: f"{row[0]}/{row[1]}" if row and row[1] else "-"
    for file in sorted(options.sets.glob("*.json")):
        if not any(part in file.stem for part in options.only):
            continue
        folder = file.with_suffix("")
        answer, seconds, memory = audit(options.nn, folder)
        about = {(pair["a"], pair["b"]): pair for pair in answer["pairs"]}
        kinds, _, false = truth.judge(truth.read(folder), list(about))
        row = rows[file.stem] = [sum(k[0] for k in kinds.values()), sum(k[1] for k in kinds.values()), len(false)]
        old = before["folders"].get(file.stem)
        print(f"{file.stem:32} {answer['summary']['images']:6} {share(row):>9} {row[2]:6} {len(answer.get('scenes', [])):6} "
              f"{seconds:6.2f} {memory:5.0f}", f"          {share(old):>9} {old[2]:6}" if old else "", flush=True)
        for a, b in false[:options.show]:
            pair = about[a, b]
            print(f"      false: {a}  {b}  {pair['change'] or pair['kind']}  distance {pair['distance']:.3g}")
        missed = {kind: f"{h}/{n}" for kind, (h, n) in kinds.items() if h < n}
        if missed:
            print("      missed:", "  ".join(f"{kind} {found}" for kind, found in missed.items()))
        group = "photographs" if file.stem.startswith("photos") else "drawn"
        for kind, (hit, planted) in kinds.items():
            row = by_kind.setdefault(f"{group:12} {kind}", [0, 0])
            row[0] += hit
            row[1] += planted
    hit, planted, false = (sum(row[k] for row in rows.values()) for k in range(3))
    print(f"\n{len(rows)} folders: {hit} of {planted} copies found, {false} false pairs in {sum(r[2] > 0 for r in rows.values())} folders")
    for kind, row in sorted(by_kind.items()):
        old = before["kinds"].get(kind)
        print(f"   {kind:32} {share(row):>11} {100 * row[0] / row[1]:6.1f} %", f"  before {share(old)}" if old and old[1] == row[1] else "")
    if options.save:
        options.save.write_text(json.dumps({"folders": rows, "kinds": by_kind}))


main()
