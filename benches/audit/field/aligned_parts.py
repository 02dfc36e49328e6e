"""Inspection of parts: another piece in the same jig each time, no two alike in grain, some scratched.

No pair is a copy, but five parts are there a second time, encoded anew, in `test/`: those are, and nothing else. The
audit must not say "copy" of two pieces, and the five must not drown.
"""

import io

from PIL import Image
from reproducer import arguments, audit, pairs, put, verdict

from draw_series import part

nn, out = arguments()
planted = set()
for number in range(60):
    image = part(number)
    path = put(out, "train" if number % 4 else "test", "scratched" if number % 3 == 0 else "good", f"{number:02}.png", image)
    if number in (1, 13, 25, 37, 51):
        again = io.BytesIO()
        image.save(again, "JPEG", quality=60)
        label = "scratched" if number % 3 == 0 else "good"
        planted.add(tuple(sorted((path, put(out, "test", label, f"{number:02}-again.jpg", Image.open(again))))))
answer, status = audit(nn, out)
found = {tuple(sorted(pair)) for pair in pairs(answer)}
print(f"65 images, 60 pieces: {len(found & planted)} of 5 copies found, {len(found - planted)} false pairs, status {status}")
verdict(len(found & planted) < 5 or len(found - planted) > 0, "different pieces in one jig are called copies, or copies are missed")
