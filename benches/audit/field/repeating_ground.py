"""Brick walls: every picture repeats itself, so that a part of one lies on a part of any other, moved by a brick.

No two walls have the same bricks, and no pair is a copy. Cropped copies of five of them are.
"""

from reproducer import arguments, audit, pairs, put, verdict

from draw_series import bricks

nn, out = arguments()
planted = set()
for number in range(40):
    image = bricks(number)
    path = put(out, "train" if number % 4 else "test", "ab"[number % 2], f"{number:02}.jpg", image)
    if number % 8 == 1:
        crop = image.crop((20, 10, 310, 225))
        planted.add(tuple(sorted((path, put(out, "test", "ab"[number % 2], f"{number:02}-crop.jpg", crop)))))
answer, status = audit(nn, out)
found = {tuple(sorted(pair)) for pair in pairs(answer)}
told = sorted({pair["change"] for pair in answer["pairs"]})[:3]
print(f"45 images, 40 walls: {len(found & planted)} of 5 copies found, {len(found - planted)} false pairs, status {status}; told: {told}")
verdict(len(found & planted) < 5 or len(found - planted) > 0, "different walls are called copies, moved by a brick, or copies are missed")
