"""Trains settings of nn-cli and recipes of Keras on folders, chooses by validation, and tells what the test says.

    python run.py NN_CLI FOLDERS --keras PYTHON --results results.json [--seeds 1 2] [--alone]

NN_CLI is the program, FOLDERS what make.py wrote, PYTHON an interpreter with Keras. All settings are tried with the first seed.
Keras' two recipes with the highest validation accuracy go on with the other seeds, and the one with the higher mean is chosen; of
ours only the best goes on. The test is looked at for no choice. Results are added to the file, and what is there is not run again: so some seeds
can be run on a shared machine, and the last one with --alone on an idle one, whose seconds the table compares.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
SEEDS = (1, 2, 3)
# How many settings, the best by validation with the first seed, go on with the other seeds.
FINALISTS = {"nn": 1, "keras": 2}
FOLDERS = ("digits", "letters", "textures", "emoji")
# Left and right matter to digits and letters; only emoji have colours.
FLIPPED, GREY = ("textures", "emoji"), ("digits", "letters", "textures")

RECIPES = ("tutorial", "augmented", "normalised", "xception")
COMMON = """--image-size 32 --batch-size 32 --epochs 30 --optimizer adamw --learning-rate 0.003
--schedule cosine --warmup 1 --label-smoothing 0.1 --ema 0.99""".split()
MOVED = "rotate=10,zoom=0.1,translate"
# Bits are the same for any number: where the machine is shared, single threads wait less for each other.
THREADS = ["--threads", os.environ["NN_THREADS"]] if "NN_THREADS" in os.environ else []
# Network and augmentation by name; flips are added where they fit.
SETTINGS = {
    "moved": ("vgg-small", MOVED),
    "slanted": ("vgg-small", f"{MOVED},shear"),
    "small, moved": ("cnn-small", MOVED),
    "small, slanted": ("cnn-small", f"{MOVED},shear"),
}


def ours(program, folder, setting, seed):
    network, augmentation = SETTINGS[setting]
    augmentation = ("flip," if folder.name in FLIPPED else "") + augmentation
    grey = ["--channels", "grey"] if folder.name in GREY else []
    with tempfile.TemporaryDirectory() as out:
        command = [program, "train", "--data", folder, "--out", f"{out}/run", "--seed", str(seed), "--quiet"]
        command += ["--architecture", network, "--augment", augmentation, *COMMON, *grey, *THREADS]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        metrics = json.loads(Path(out, "run", "metrics.json").read_text())
    history, kept = metrics["history"], metrics["kept"]
    return {"val": kept["val_accuracy"], "test": metrics["test"]["accuracy"], "epochs": len(history), "parameters": metrics["parameters"]}


def keras(python, folder, recipe, seed):
    command = [python, HERE / "keras_train.py", folder, str(seed), "--recipe", recipe]
    command += ["--flip"] * (folder.name in FLIPPED) + ["--grey"] * (folder.name in GREY)
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    ended = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    told = json.loads(ended.stdout.splitlines()[-1])
    return {key: told[key] for key in ("val", "test", "epochs", "parameters", "without_imports")}


class Results:
    """What was measured, by tool, folder, setting and seed."""

    def __init__(self, args):
        self.args = args
        self.all = json.loads(args.results.read_text()) if args.results.exists() else []

    def get(self, tool, folder, setting, seed):
        key = {"tool": tool, "folder": folder, "setting": setting, "seed": seed}
        for result in self.all:
            if key.items() <= result.items():
                return result
        began = time.perf_counter()
        run, program = (ours, self.args.nn_cli) if tool == "nn" else (keras, self.args.keras)
        result = {**key, "alone": self.args.alone, **run(program, self.args.folders.resolve() / folder, setting, seed)}
        result["seconds"] = round(time.perf_counter() - began, 2)
        self.all.append(result)
        lines = ",\n".join(" " + json.dumps(result) for result in self.all)
        self.args.results.write_text(f"[\n{lines}\n]\n")
        print(result, flush=True)
        return result

    def mean(self, tool, folder, setting, key, seeds=None):
        seeds = seeds or self.args.seeds
        return sum(self.get(tool, folder, setting, seed)[key] for seed in seeds) / len(seeds)

    def chosen(self, tool, folder):
        """The setting that the validation images choose."""
        settings = SETTINGS if tool == "nn" else RECIPES
        first = sorted(settings, key=lambda setting: -self.mean(tool, folder, setting, "val", self.args.seeds[:1]))
        return max(first[: FINALISTS[tool]], key=lambda setting: self.mean(tool, folder, setting, "val"))


def row(results, folder):
    cells = [folder]
    for tool in ("nn", "keras"):
        setting = results.chosen(tool, folder)
        runs = [results.get(tool, folder, setting, seed) for seed in results.args.seeds]
        each = ", ".join(f"{100 * run['test']:.1f}" for run in runs)
        cells.append(f"**{100 * sum(run['test'] for run in runs) / len(runs):.1f}** ({each})")
        cells.append(f"{setting}, {100 * results.mean(tool, folder, setting, 'val'):.1f}")
        seconds = [run["seconds"] for run in runs if run["alone"]]
        cells.append(f"{sum(seconds) / len(seconds):.0f} s" if seconds else "")
    return cells


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nn_cli")
    parser.add_argument("folders", type=Path)
    parser.add_argument("--keras", default="python3", help="an interpreter with Keras")
    parser.add_argument("--results", type=Path, default=Path("results.json"))
    parser.add_argument("--only", nargs="+", default=FOLDERS, choices=FOLDERS)
    parser.add_argument("--tool", choices=("nn", "keras"), help="only run this tool, without a table")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--alone", action="store_true", help="nothing else runs: seconds are to be compared")
    args = parser.parse_args()
    results = Results(args)
    if args.tool:
        for folder in args.only:
            print(args.tool, folder, results.chosen(args.tool, folder), flush=True)
        return
    head = ["folder"]
    for tool in ("nn", "Keras"):
        head += [f"{tool}, test (seeds)", "chosen, validation", "a run"]
    for cells in [head, ["---"] * len(head), *(row(results, folder) for folder in args.only)]:
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
