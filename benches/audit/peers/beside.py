"""`nn-cli audit`, cleanvision and imagededup on the same folders, in turn: precision, recall, time, memory.

`python beside.py NN_CLI SETS [--photos DIR] [--mnist DIR] [--fonts DIR] [--rounds 3] [--folders NAME..]` prints a Markdown table.
Folders that are not in SETS yet are drawn by `situations.py` first; without photographs, MNIST or fonts, their folders
are left out, or scikit-learn's digits stand in. `--folders` also takes paths, such as one that `../generate.py` wrote.

Recall is the share of planted copies that pairs join to their originals, precision the share of pairs that are
copies. Time is that of the fastest round, as a whole process and without importing packages; memory that of the
process and its children.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

import truth

TOOLS = ["nn-cli", "cleanvision", "imagededup"]
FOLDERS = {
    "five_templates_planted": "documents, five templates",
    "forms_1000_planted": "documents, one form",
    "mnist_2000_planted": "handwritten digits",
    "digits_8x8_1000_planted": "handwritten digits (8 x 8, enlarged)",
    "icons_1000_planted": "icons",
    "font_icons_planted": "icons of Font Awesome",
    "icons_in_colours_planted": "icons, each in twelve colours",
    "photos_mixed": "photographs",
}


def cleanvision(folder):
    from cleanvision import Imagelab

    started = time.time()
    lab = Imagelab(data_path=folder)
    lab.find_issues({"exact_duplicates": {}, "near_duplicates": {}}, verbose=False)
    groups = [g for kind in ("exact_duplicates", "near_duplicates") for g in lab.info[kind]["sets"]]
    return started, [(a, b) for group in groups for a in group for b in group if a < b]


def imagededup(folder):
    from imagededup.methods import PHash

    started = time.time()
    hasher = PHash(verbose=False)
    codes = hasher.encode_images(image_dir=folder, recursive=True)
    found = hasher.find_duplicates(encoding_map=codes, max_distance_threshold=10)
    return started, [(a, b) for a in found for b in found[a]]


def peak_memory(process):
    """Of a process and its children, in MB, sampled while it runs."""
    most = 0
    while process.returncode is None:
        tree, total = [process.pid], 0
        while tree:
            task = pathlib.Path(f"/proc/{tree.pop()}")
            try:
                total += int((task / "smaps_rollup").read_text().split("\nPss:")[1].split()[0])
                tree += map(int, (task / "task" / task.name / "children").read_text().split())
            except (OSError, IndexError):
                pass
        most = max(most, total)
        time.sleep(0.05)
    return most / 1024


def run(tool, folder, nn):
    """Seconds as a whole, seconds of work, memory, pairs."""
    with tempfile.TemporaryDirectory() as scratch:
        answer = pathlib.Path(scratch) / "answer.json"
        if tool == "nn-cli":
            command = [nn, "audit", folder, "--json", "--quiet"]
        else:
            command = [sys.executable, __file__, "--one", tool, folder, answer]
        started = time.time()
        with open(answer, "w") if tool == "nn-cli" else open(os.devnull, "w") as out:
            process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL)
            memory = []
            watch = threading.Thread(target=lambda: memory.append(peak_memory(process)))
            watch.start()
            process.wait()
        whole = time.time() - started
        watch.join()
        found = json.loads(answer.read_text())
    if tool == "nn-cli":
        return whole, whole, memory[0], [(pair["a"], pair["b"]) for pair in found["pairs"]]
    return whole, found["seconds"], memory[0], found["pairs"]


def compare(folder, name, nn, rounds):
    """Rows of the table for one folder."""
    files = [f for f in folder.rglob("*") if f.is_file()]
    paths = {f.name: str(f.relative_to(folder)) for f in files}  # file names are unique, and all that imagededup tells
    known = truth.read(folder)
    best = {}
    for _ in range(rounds):
        for tool in TOOLS:
            whole, work, memory, pairs = run(tool, folder, nn)
            pairs = sorted({tuple(sorted(paths[pathlib.Path(image).name] for image in pair)) for pair in pairs})
            old = best.get(tool, (whole, work, 0))
            best[tool] = (min(whole, old[0]), min(work, old[1]), max(memory, old[2]), pairs)
    ours = best["nn-cli"][0]
    for tool, (whole, work, memory, pairs) in best.items():
        kinds, right, false = truth.judge(known, pairs)
        hit, planted = (sum(row[k] for row in kinds.values()) for k in (0, 1))
        precision = f"{100 * len(right) / (len(right) + len(false)):.1f} %" if right or false else "no pair"
        first = f"{name}: {len(files)} images, {planted} copies" if tool == "nn-cli" else ""
        spent = f"{whole:.2f} s" + ("" if tool == "nn-cli" else f" ({work:.2f}), {whole / ours:.1f} times as long")
        recall = f"{100 * hit / max(1, planted):.1f} % ({hit})"
        print(f"| {first} | {tool} | {recall} | {precision} | {len(false)} | {spent} | {memory:.0f} MB |", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("nn")
    parser.add_argument("sets", type=pathlib.Path)
    parser.add_argument("--photos")
    parser.add_argument("--mnist")
    parser.add_argument("--fonts")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folders", nargs="*", default=list(FOLDERS))
    options = parser.parse_args()
    missing = [name for name in options.folders if not (options.sets / name).exists()]
    missing = [name for name in missing if name in FOLDERS]
    if missing:
        command = [sys.executable, pathlib.Path(__file__).with_name("situations.py"), options.sets, "--exactly", *missing]
        for option in ("photos", "mnist", "fonts"):
            command += [f"--{option}", getattr(options, option)] if getattr(options, option) else []
        subprocess.run(command, check=True)
    print("| folder | tool | recall (copies found) | precision | false pairs | time (without imports) | peak memory |")
    print("|---|---|---|---|---|---|---|")
    for name in options.folders:
        folder = options.sets / name
        if name == "digits_8x8_1000_planted" and (options.sets / "mnist_2000_planted").exists() and name in FOLDERS:
            continue
        if folder.exists():
            compare(folder, FOLDERS.get(name, name), options.nn, options.rounds)


if sys.argv[1:2] == ["--one"]:
    _, _, tool, folder, answer = sys.argv
    started, pairs = {"cleanvision": cleanvision, "imagededup": imagededup}[tool](folder)
    seconds = time.time() - started
    pairs = [list(map(str, pair)) for pair in pairs]
    pathlib.Path(answer).write_text(json.dumps({"seconds": seconds, "pairs": pairs}))
else:
    main()
