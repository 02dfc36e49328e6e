"""Pictures that share a template: forms, receipts, tickets, boards, charts. Each is drawn from its number alone.

Two numbers never give the same content: what differs (text, number, position, values) is drawn anew for each.
"""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

font = ImageFont.load_default
WORDS = """time person year way day thing man world life hand part child eye woman place work week case point company
river stone garden window letter market bridge silver winter summer doctor engine camera island forest planet""".split()
NAMES = "Name Street Town Country Date Number Amount Reason Office Remarks Account Phone Mail Signature".split()


def rng_of(kind, number):
    return np.random.default_rng([sum(map(ord, kind)), number])


def words(rng, count):
    return " ".join(rng.choice(WORDS, count))


def noisy(image, strength, rng):
    pixels = np.asarray(image).astype(np.float32)
    return Image.fromarray(np.clip(pixels + rng.normal(0, strength, pixels.shape), 0, 255).astype(np.uint8))


def form(number):
    rng = rng_of("form", number)
    image = Image.new("RGB", (620, 877), "white")
    pen = ImageDraw.Draw(image)
    pen.text((40, 30), "APPLICATION FORM 27-B", fill=0, font=font(30))
    pen.rectangle([20, 20, 600, 857], outline=0, width=3)
    for row, name in enumerate(NAMES):
        y = 100 + row * 52
        pen.text((40, y), name + ":", fill=0, font=font(16))
        pen.rectangle([200, y - 5, 580, y + 28], outline=0)
        pen.text((210, y), words(rng, 3), fill=(20, 20, 120), font=font(18))
    return image


def receipt(number):
    """One shop; items, prices, date and length differ."""
    rng = rng_of("receipt", number)
    lines = int(rng.integers(4, 16))
    image = Image.new("RGB", (300, 520), (248, 246, 240))
    pen = ImageDraw.Draw(image)
    pen.text((70, 14), "CORNER SHOP", fill=20, font=font(24))
    pen.text((60, 46), "12 Mill Lane, Oldtown", fill=20, font=font(14))
    pen.text((60, 64), f"{rng.integers(1, 29):02}.{rng.integers(1, 13):02}.2024 {rng.integers(8, 20):02}:{rng.integers(0, 60):02}",
             fill=20, font=font(14))
    y, total = 95, 0
    for _ in range(lines):
        price = int(rng.integers(50, 3000))
        total += price
        pen.text((20, y), words(rng, 2)[:18], fill=20, font=font(14))
        pen.text((235, y), f"{price / 100:6.2f}", fill=20, font=font(14))
        y += 20
    pen.line([20, y + 4, 280, y + 4], fill=20)
    pen.text((20, y + 10), "TOTAL", fill=20, font=font(20))
    pen.text((215, y + 10), f"{total / 100:7.2f}", fill=20, font=font(20))
    pen.text((60, y + 50), "Thank you, come again", fill=20, font=font(14))
    return noisy(image, 4, rng)


def ticket(number):
    """Nothing but the number and the seat differs."""
    rng = rng_of("ticket", number)
    image = Image.new("RGB", (420, 180), (250, 225, 160))
    pen = ImageDraw.Draw(image)
    pen.rectangle([6, 6, 413, 173], outline=(120, 40, 20), width=3)
    pen.line([310, 6, 310, 173], fill=(120, 40, 20), width=2)
    pen.text((24, 18), "CITY THEATRE", fill=(120, 40, 20), font=font(34))
    pen.text((24, 66), "Admit one - Stalls - Door B", fill=(60, 30, 20), font=font(18))
    pen.text((24, 110), f"No. {int(rng.integers(0, 10**6)):06}", fill=(150, 10, 10), font=font(34))
    pen.text((326, 30), f"Row {rng.integers(1, 40)}", fill=0, font=font(20))
    pen.text((326, 70), f"Seat {rng.integers(1, 60)}", fill=0, font=font(20))
    return noisy(image, 3, rng)


def invoice(number):
    rng = rng_of("invoice", number)
    image = Image.new("RGB", (595, 842), "white")
    pen = ImageDraw.Draw(image)
    pen.rectangle([0, 0, 595, 90], fill=(20, 80, 140))
    pen.text((30, 26), "NORTHERN SUPPLY Ltd", fill="white", font=font(32))
    pen.text((30, 110), f"Invoice {int(rng.integers(10**5, 10**6))}", fill=0, font=font(22))
    for k in range(4):
        pen.text((30, 150 + k * 20), words(rng, 3), fill=0, font=font(15))
    for k, head in enumerate(("Item", "Count", "Price", "Sum")):
        pen.text((30 + (0, 300, 390, 480)[k], 262), head, fill=0, font=font(16))
    pen.rectangle([25, 255, 570, 285], outline=0)
    for row in range(int(rng.integers(3, 15))):
        y, count, price = 295 + row * 28, int(rng.integers(1, 40)), int(rng.integers(100, 9000))
        pen.text((30, y), words(rng, 3), fill=0, font=font(15))
        for x, text in ((335, count), (400, f"{price / 100:.2f}"), (490, f"{count * price / 100:.2f}")):
            pen.text((x, y), str(text), fill=0, font=font(15))
    pen.text((30, 790), "Pay within 30 days. Bank 12 34 56, account 0071 2233", fill=(90, 90, 90), font=font(14))
    return image


def ecg(number):
    rng = rng_of("ecg", number)
    image = Image.new("RGB", (400, 300), (255, 240, 240))
    pen = ImageDraw.Draw(image)
    for k in range(0, 400, 8):
        ink = (255, 190, 190) if k % 40 else (240, 130, 130)
        pen.line([k, 0, k, 300], fill=ink)
        pen.line([0, k, 400, k], fill=ink)
    period, height, width = rng.uniform(50, 110), rng.uniform(25, 65), rng.uniform(1.8, 4.5)
    for row in range(3):
        shift, points = rng.uniform(0, period), []
        for x in range(400):
            phase = (x + shift) % period
            wave = height * np.exp(-((phase - 30) / width) ** 2) + 8 * np.exp(-((phase - 15) / 5) ** 2)
            points.append((x, 60 + row * 95 - wave - 12 * np.exp(-((phase - 48) / 7) ** 2) + rng.normal(0, 1)))
        pen.line(points, fill=(20, 20, 20), width=2)
    return image


def plate(number):
    rng = rng_of("plate", number)
    image = Image.new("RGB", (260, 60), "white")
    pen = ImageDraw.Draw(image)
    pen.rectangle([0, 0, 25, 60], fill=(0, 50, 160))
    pen.rectangle([0, 0, 259, 59], outline=0, width=3)
    text = "".join(rng.choice(list("ABCDEFGHKLMNPRSTUVXYZ"), 2)) + " " + f"{int(rng.integers(0, 10**4)):04}"
    pen.text((34, 8), text, fill=0, font=font(42))
    return noisy(image, 6, rng)


def chess(number):
    rng = rng_of("chess", number)
    image = Image.new("RGB", (256, 256), (240, 217, 181))
    pen = ImageDraw.Draw(image)
    for y in range(8):
        for x in range(8):
            if (x + y) % 2:
                pen.rectangle([x * 32, y * 32, x * 32 + 31, y * 32 + 31], fill=(181, 136, 99))
            if rng.random() < 0.35:
                piece, ink = rng.choice(list("KQRBNP")), (250, 250, 250) if rng.random() < 0.5 else (20, 20, 20)
                pen.ellipse([x * 32 + 5, y * 32 + 5, x * 32 + 27, y * 32 + 27], fill=ink, outline=(90, 90, 90))
                pen.text((x * 32 + 16, y * 32 + 16), piece, anchor="mm", font=font(17), fill=tuple(255 - c for c in ink))
    return image


def sudoku(number):
    rng = rng_of("sudoku", number)
    image = Image.new("RGB", (290, 290), "white")
    pen = ImageDraw.Draw(image)
    for k in range(10):
        for line in ([10 + k * 30, 10, 10 + k * 30, 280], [10, 10 + k * 30, 280, 10 + k * 30]):
            pen.line(line, fill=0, width=3 if k % 3 == 0 else 1)
    for y in range(9):
        for x in range(9):
            if rng.random() < 0.35:
                pen.text((25 + x * 30, 25 + y * 30), str(rng.integers(1, 10)), anchor="mm", fill=0, font=font(20))
    return image


def calendar(number):
    """A month page: the month, where it begins, and the appointments differ."""
    rng = rng_of("calendar", number)
    image = Image.new("RGB", (480, 400), "white")
    pen = ImageDraw.Draw(image)
    months = "January February March April May June July August September October November December".split()
    pen.rectangle([0, 0, 480, 50], fill=(170, 30, 40))
    pen.text((16, 10), f"{months[number % 12]} {2000 + number // 12}", fill="white", font=font(26))
    first = int(rng.integers(0, 7))
    for k in range(42):
        x, y = 10 + k % 7 * 66, 60 + k // 7 * 55
        pen.rectangle([x, y, x + 66, y + 55], outline=(120, 120, 120))
        if first <= k < first + 30:
            pen.text((x + 4, y + 2), str(k - first + 1), fill=0, font=font(16))
            if rng.random() < 0.3:
                pen.text((x + 4, y + 28), rng.choice(WORDS), fill=(20, 60, 160), font=font(13))
    return image


def bars(number):
    rng = rng_of("bars", number)
    image = Image.new("RGB", (400, 300), "white")
    pen = ImageDraw.Draw(image)
    pen.text((120, 8), "Sales by month", fill=0, font=font(20))
    for k in range(6):
        pen.line([40, 260 - k * 40, 390, 260 - k * 40], fill=(210, 210, 210))
        pen.text((8, 252 - k * 40), str(k * 20), fill=0, font=font(13))
    for k in range(12):
        height = int(rng.uniform(5, 210))
        pen.rectangle([48 + k * 28, 260 - height, 68 + k * 28, 260], fill=(31, 119, 180))
        pen.text((52 + k * 28, 266), "JFMAMJJASOND"[k], fill=0, font=font(13))
    pen.line([40, 260, 390, 260], fill=0, width=2)
    return image


def plan(number):
    """A floor plan: walls split at random, doors, a few pieces of furniture."""
    rng = rng_of("plan", number)
    image = Image.new("RGB", (400, 300), "white")
    pen = ImageDraw.Draw(image)

    def split(x, y, w, h, depth):
        if depth == 0 or min(w, h) < 60:
            if rng.random() < 0.7:
                pen.rectangle([x + 12, y + 12, x + 12 + w * 0.3, y + 12 + h * 0.2], outline=(110, 110, 110))
            pen.text((x + w / 2, y + h / 2), f"{w * h / 900:.0f} m2", fill=(90, 90, 90), font=font(13), anchor="mm")
            return
        share = rng.uniform(0.35, 0.65)
        if w > h:
            cut = x + w * share
            pen.line([cut, y, cut, y + h], fill=0, width=5)
            door = y + rng.uniform(0.2, 0.7) * h
            pen.line([cut, door, cut, door + 22], fill="white", width=7)
            split(x, y, cut - x, h, depth - 1)
            split(cut, y, x + w - cut, h, depth - 1)
        else:
            cut = y + h * share
            pen.line([x, cut, x + w, cut], fill=0, width=5)
            door = x + rng.uniform(0.2, 0.7) * w
            pen.line([door, cut, door + 22, cut], fill="white", width=7)
            split(x, y, w, cut - y, depth - 1)
            split(x, cut, w, y + h - cut, depth - 1)

    pen.rectangle([20, 20, 380, 280], outline=0, width=7)
    split(20, 20, 360, 260, int(rng.integers(2, 4)))
    return image


def spectrogram(number):
    """Harmonics that rise and fall over noise, on one colour scale, with one axis."""
    rng = rng_of("spectrogram", number)
    height, width = 220, 340
    power = rng.normal(0, 0.08, (height, width)) + np.linspace(0.05, 0.25, height)[:, None]
    for _ in range(rng.integers(2, 6)):
        start, length = rng.integers(0, width - 60), int(rng.integers(40, 160))
        x = np.arange(start, min(width, start + length))
        pitch = rng.uniform(12, 45) * (1 + rng.uniform(-0.3, 0.3) * np.sin(np.linspace(0, rng.uniform(1, 6), len(x))))
        for harmonic in range(1, rng.integers(3, 8)):
            y = height - 1 - np.round(pitch * harmonic).astype(int)
            for wide in (-1, 0, 1):
                keep = (y + wide >= 0) & (y + wide < height)
                power[(y + wide)[keep], x[keep]] += 0.8 / harmonic ** 0.5
    t = np.clip(power, 0, 1)[..., None]
    stops = np.array([[20, 10, 60], [120, 30, 120], [230, 90, 60], [252, 250, 190]], np.float32)
    place = np.clip(t * 3, 0, 2.999)
    low = place.astype(int)[..., 0]
    colours = stops[low] + (stops[low + 1] - stops[low]) * (place - low[..., None])
    image = Image.new("RGB", (400, 260), "white")
    image.paste(Image.fromarray(colours.astype(np.uint8)), (45, 10))
    pen = ImageDraw.Draw(image)
    for k in range(5):
        pen.text((8, 10 + k * 50), f"{(4 - k) * 2} kHz", fill=0, font=font(12))
    return image


def screenshot(number):
    """One program: the same bars, buttons and side list; the text and the chart in it differ."""
    rng = rng_of("screenshot", number)
    image = Image.new("RGB", (640, 400), (245, 245, 247))
    pen = ImageDraw.Draw(image)
    pen.rectangle([0, 0, 640, 30], fill=(50, 54, 62))
    for k, name in enumerate(("File", "Edit", "View", "Tools", "Help")):
        pen.text((12 + k * 60, 6), name, fill="white", font=font(15))
    pen.rectangle([0, 30, 150, 400], fill=(225, 228, 232))
    for k, name in enumerate(("Inbox", "Starred", "Sent", "Drafts", "Archive", "Spam", "Trash")):
        pen.text((14, 44 + k * 28), name, fill=0, font=font(16))
    for row in range(12):
        y = 40 + row * 29
        pen.line([160, y + 26, 630, y + 26], fill=(205, 205, 205))
        pen.text((166, y + 2), rng.choice(WORDS).title(), fill=0, font=font(15))
        pen.text((260, y + 2), words(rng, int(rng.integers(2, 6))), fill=(70, 70, 70), font=font(14))
        pen.text((585, y + 2), f"{rng.integers(0, 24):02}:{rng.integers(0, 60):02}", fill=(110, 110, 110), font=font(13))
    return image


def slide(number):
    rng = rng_of("slide", number)
    image = Image.new("RGB", (640, 360), "white")
    pen = ImageDraw.Draw(image)
    pen.rectangle([0, 0, 640, 58], fill=(0, 90, 90))
    pen.rectangle([0, 340, 640, 360], fill=(0, 90, 90))
    pen.ellipse([580, 8, 622, 50], fill=(250, 180, 40))
    pen.text((20, 12), words(rng, 3).title(), fill="white", font=font(28))
    pen.text((20, 342), f"Annual meeting - {number + 1}", fill="white", font=font(13))
    for k in range(int(rng.integers(2, 6))):
        pen.text((40, 80 + k * 48), "- " + words(rng, int(rng.integers(2, 5))), fill=(40, 40, 40), font=font(22))
    return image


def qr(number):
    """The three corner marks of a QR code and 25 x 25 random cells; no reader would accept it."""
    rng = rng_of("qr", number)
    cells = rng.integers(0, 2, (25, 25)).astype(bool)
    eye = np.ones((7, 7), bool)
    eye[1:6, 1:6] = False
    eye[2:5, 2:5] = True
    for top, left in ((0, 0), (0, 18), (18, 0)):
        cells[max(top - 1, 0):top + 8, max(left - 1, 0):left + 8] = False
        cells[top:top + 7, left:left + 7] = eye
    page = np.full((33, 33), 255, np.uint8)
    page[4:29, 4:29][cells] = 0
    return Image.fromarray(page).resize((264, 264), Image.NEAREST).convert("RGB")


def tile(number):
    """A tile of a street map in one style: roads, water, parks, buildings."""
    rng = rng_of("tile", number)
    image = Image.new("RGB", (256, 256), (242, 239, 233))
    pen = ImageDraw.Draw(image)
    for ink in ((170, 211, 223), (200, 230, 190)):
        if rng.random() < 0.7:
            x, y = rng.uniform(-20, 256, 2)
            angle = np.sort(rng.uniform(0, 2 * np.pi, 9))
            radius = rng.uniform(25, 75, 9)
            pen.polygon(list(zip(x + radius * np.cos(angle), y + radius * np.sin(angle))), fill=ink)
    for _ in range(rng.integers(10, 40)):
        x, y, w, h = *rng.integers(0, 256, 2), *rng.integers(5, 18, 2)
        pen.rectangle([x, y, x + w, y + h], fill=(217, 208, 201), outline=(190, 180, 172))
    for _ in range(rng.integers(3, 9)):
        wide, (x, y), (to_x, to_y) = int(rng.choice([4, 6, 9])), rng.uniform(0, 256, 2), rng.uniform(0, 256, 2)
        ends = [x - 300 * (to_x - x), y - 300 * (to_y - y), x + 300 * (to_x - x), y + 300 * (to_y - y)]
        pen.line(ends, fill=(190, 180, 170), width=wide + 2)
        pen.line(ends, fill="white" if wide < 9 else (252, 214, 164), width=wide)
    for _ in range(2):
        pen.text(tuple(rng.integers(0, 200, 2)), rng.choice(WORDS).title() + " St", fill=(80, 80, 80), font=font(12))
    return image
