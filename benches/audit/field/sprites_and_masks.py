"""One character in other poses, and masks of one blob on black: few strokes, most of the picture plain.

No pair is a copy. (Two masks may be the same to the bit, when nothing is in either; here, something is in each.)
"""

from reproducer import arguments, audit, pairs, put, verdict

from draw_series import mask, sprite

nn, out = arguments()
wrong = 0
for name, draw in (("sprites", sprite), ("masks", mask)):
    folder = out / name
    for number in range(60):
        put(folder, "train" if number % 4 else "test", "ab"[number % 2], f"{number:02}.png", draw(number))
    answer, status = audit(nn, folder)
    told = sorted({pair["change"] for pair in answer["pairs"]})[:3]
    print(f"{name}: 60 images, none a copy, {len(answer['pairs'])} pairs, status {status}; told: {told}")
    wrong += len(answer["pairs"])
verdict(wrong > 0, f"{wrong} pairs of different pictures called copies")
