"""What the reproducers here share: arguments, folders, the audit's answer.

Each is run as `NAME.py NN_CLI OUTDIR`, draws its own pictures below OUTDIR, and ends with status 0 while the fault
shows and 1 when it does not.
"""

import json
import pathlib
import shutil
import subprocess
import sys

sys.path.append(str(pathlib.Path(__file__).parent.parent / "peers"))
NAME = pathlib.Path(sys.argv[0]).stem


def arguments():
    """The program, and an empty folder to draw into."""
    if len(sys.argv) != 3:
        sys.exit(f"usage: {NAME}.py NN_CLI OUTDIR")
    out = pathlib.Path(sys.argv[2]) / NAME
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    return sys.argv[1], out


def put(folder, part, label, name, image, quality=90):
    path = folder / part / label / name
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **({"quality": quality} if path.suffix == ".jpg" else {}))
    return str(path.relative_to(folder))


def audit(nn, folder, *options):
    """The answer, and the exit status."""
    process = subprocess.run([nn, "audit", folder, "--json", *options], capture_output=True, text=True)
    if not process.stdout.strip():
        sys.exit(f"no answer, status {process.returncode}: {process.stderr.strip()}")
    return json.loads(process.stdout), process.returncode


def pairs(answer):
    return [(pair["a"], pair["b"]) for pair in answer["pairs"]]


def verdict(shows, what):
    print(("FAULT SHOWS: " if shows else "does not show: ") + what)
    sys.exit(0 if shows else 1)
