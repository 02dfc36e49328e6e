"""Times `nn-cli audit`, cleanvision and imagededup on the same folder, in turn.

`python beside.py FOLDER NN_CLI [ROUNDS]`. Copies of `X.jpg` are called `X-copy.jpg` (`plant.py` and
`../generate.py` write such folders). For each tool: the fastest round as a whole process, and without
importing its packages; the most memory of the process and its children; how many copies were found,
how many pairs are none.
"""

import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

TOOLS = ["nn", "cleanvision", "imagededup"]


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
        if tool == "nn":
            command = [nn, "audit", folder, "--json", "--quiet"]
        else:
            command = [sys.executable, __file__, "--only", tool, folder, str(answer)]
        started = time.time()
        with open(answer, "w") if tool == "nn" else open(os.devnull, "w") as out:
            process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL)
            memory = []
            watch = threading.Thread(target=lambda: memory.append(peak_memory(process)))
            watch.start()
            process.wait()
        whole = time.time() - started
        watch.join()
        found = json.loads(answer.read_text())
    if tool == "nn":
        return whole, whole, memory[0], [(pair["a"], pair["b"]) for pair in found["pairs"]]
    return whole, found["seconds"], memory[0], found["pairs"]


def main(folder, nn, rounds=3):
    # Originals of the same bytes are one picture, and so are their copies.
    files = sorted(f for f in pathlib.Path(folder).rglob("*") if f.is_file())
    digest = {f.stem: hashlib.sha256(f.read_bytes()).digest() for f in files}
    key = lambda name: digest[pathlib.Path(name).stem.removesuffix("-copy")]
    is_copy = lambda name: pathlib.Path(name).stem.endswith("-copy")
    planted = {f.stem.removesuffix("-copy") for f in files if is_copy(f.name)}
    best = {}
    for _ in range(int(rounds)):
        for tool in TOOLS:
            whole, work, memory, pairs = run(tool, folder, nn)
            pairs = {tuple(sorted(pathlib.Path(name).stem for name in pair)) for pair in pairs}
            hits = {a.removesuffix("-copy") for a, b in pairs if a.removesuffix("-copy") == b.removesuffix("-copy")}
            false = sum(key(a) != key(b) for a, b in pairs)
            old = best.get(tool, (whole, work, 0))
            best[tool] = (min(whole, old[0]), min(work, old[1]), max(memory, old[2]), len(hits & planted), false)
    print(f"{folder}: {len(files)} images, {len(planted)} copies")
    for tool, (whole, work, memory, hits, false) in best.items():
        print(f"{tool:12} whole {whole:7.2f} s  work {work:7.2f} s  {memory:6.0f} MB  found {hits}  false {false}", flush=True)


if sys.argv[1] == "--only":
    _, _, tool, folder, answer = sys.argv
    started, pairs = {"cleanvision": cleanvision, "imagededup": imagededup}[tool](folder)
    seconds = time.time() - started
    pairs = [list(map(str, pair)) for pair in pairs]
    pathlib.Path(answer).write_text(json.dumps({"seconds": seconds, "pairs": pairs}))
else:
    main(*sys.argv[1:])
