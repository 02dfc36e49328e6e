"""Planted label leaks and permuted labels: what `nn-cli audit` says, and what cleanlab's Datalab says.

`python labels.py NN_CLI [DRAWS]`. Draws its own pictures. A leak is in all images of one class. A tool
finds it if it raises any alarm (ours: of a strong leak; theirs: a property whose score in
`spurious_correlations` is below its own threshold). With permuted labels every alarm is a false one.
One line for each leak, number of classes and balance: alarms of `DRAWS` draws, ours and theirs.
"""

import contextlib
import io
import json
import pathlib
import subprocess
import sys
import tempfile
import warnings

import numpy as np
from PIL import Image, ImageFilter

warnings.filterwarnings("ignore")
# Images of each class.
SETS = {
    "2 classes": [60, 60],
    "2 classes, 95 : 5": [190, 10],
    "2 classes, 1000 : 30": [1000, 30],
    "4 classes": [50] * 4,
    "10 classes": [30] * 10,
    "10 classes, uneven": [120, 60, 40, 30, 20, 15, 12, 10, 8, 8],
    "38 classes": [15] * 38,
}


def picture(number):
    """Clouds under discs and boxes with a texture of their own, 128 x 96."""
    r, (w, h) = np.random.default_rng(number), (128, 96)
    f = np.hypot(np.fft.fftfreq(h)[:, None] * h, np.fft.rfftfreq(w)[None] * w)
    f[0, 0] = 1
    cloud = np.fft.irfft2((r.normal(size=f.shape) + 1j * r.normal(size=f.shape)) / f**1.6, s=(h, w))
    cloud = (cloud - cloud.min()) / (cloud.max() - cloud.min())
    image = cloud[..., None] * r.uniform(60, 250, 3)
    y, x = np.mgrid[:h, :w]
    for _ in range(r.integers(4, 10)):
        u, v = (x - r.uniform(0, w)) / r.uniform(6, 25), (y - r.uniform(0, h)) / r.uniform(6, 25)
        inside = u**2 + v**2 < 1 if r.random() < 0.5 else (abs(u) < 1) & (abs(v) < 1)
        image[inside] = image[inside] * 0.2 + r.uniform(0, 255, 3) * 0.8 + r.normal(0, 8, (inside.sum(), 1))
    return Image.fromarray(np.clip(image, 0, 255).astype(np.uint8))


def jpeg(image, **how):
    data = io.BytesIO()
    image.save(data, "JPEG", **{"quality": 88, **how})
    return data.getvalue()


def camera(image):
    exif = Image.Exif()
    exif[0x110] = "EOS"
    return jpeg(image, exif=exif)


def shade(image, factor):
    return jpeg(image.point(lambda v: int(v * factor)))


def corner(image):
    image.paste((255, 255, 255), (image.width - 12, image.height - 12, image.width, image.height))
    return jpeg(image)


def frame(image):
    inner = image.crop((4, 4, image.width - 4, image.height - 4))
    image.paste((0, 0, 0), (0, 0, image.width, image.height))
    image.paste(inner, (4, 4))
    return jpeg(image)


LEAKS = {
    "nothing, labels permuted": jpeg,
    "another camera (EXIF)": camera,
    "JPEG quality 60 for 88": lambda image: jpeg(image, quality=60),
    "20 % larger": lambda image: jpeg(image.resize((154, 115))),
    "darker by half": lambda image: shade(image, 0.5),
    "blurred by 1.5 px": lambda image: jpeg(image.filter(ImageFilter.GaussianBlur(1.5))),
    "12 x 12 px in a corner": corner,
    "black frame of 4 px": frame,
}


def ours(folder, nn):
    run = subprocess.run([nn, "audit", folder, "--json", "--quiet"], capture_output=True, text=True)
    return any(leak["alarm"] for leak in json.loads(run.stdout)["label_leaks"])


def theirs(files, labels):
    from cleanlab import Datalab
    from datasets import Dataset
    from datasets import Image as Images

    data = Dataset.from_dict({"image": files, "label": labels}).cast_column("image", Images())
    lab = Datalab(data, label_name="label", image_key="image", verbosity=0)
    pictures = ["dark", "light", "odd_aspect_ratio", "odd_size", "low_information", "grayscale", "blurry"]
    wanted = {"image_issue_types": {kind: {} for kind in pictures}, "spurious_correlations": {}}
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        lab.find_issues(issue_types=wanted)
    found = lab.get_info("spurious_correlations")
    return bool((found["correlations_df"]["score"] < found["threshold"]).any())


def main(nn, draws=3):
    import datasets

    datasets.disable_progress_bars()
    most = max(map(sum, SETS.values()))
    pictures = [picture(number) for number in range(most)]
    encoded = {name: [leak(image.copy()) for image in pictures] for name, leak in LEAKS.items()}
    print("| leak | images of each class | nn-cli | Datalab |\n|---|---|---|---|")
    for name in LEAKS:
        for title, sizes in SETS.items():
            alarms = [0, 0]
            for draw in range(int(draws)):
                with tempfile.TemporaryDirectory() as folder:
                    random = np.random.default_rng(draw)
                    labels = random.permutation(np.repeat(range(len(sizes)), sizes))
                    leaky = len(sizes) - 1  # The smallest class.
                    chosen = random.permutation(most)[: len(labels)]
                    files = []
                    for picked, label in zip(chosen, labels):
                        data = encoded[name if label == leaky else "nothing, labels permuted"][picked]
                        path = pathlib.Path(folder, f"c{label:02}", f"{random.integers(10**9):09}.jpg")
                        path.parent.mkdir(exist_ok=True)
                        path.write_bytes(data)
                        files.append(str(path))
                    alarms[0] += ours(folder, nn)
                    alarms[1] += theirs(files, [int(label) for label in labels])
            print(f"| {name} | {title} | {alarms[0]} of {draws} | {alarms[1]} of {draws} |", flush=True)


main(*sys.argv[1:])
