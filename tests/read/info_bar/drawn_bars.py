"""Pictures with bars burnt in, and bars as they are read."""

from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from micrographia.read.info_bar.bar import InfoBar
from micrographia.read.info_bar.words import Word

WIDTH, HEIGHT = 1024, 768


def picture(seed=0, height=HEIGHT):
    """A textured specimen, as no bar is."""
    rng = np.random.default_rng(seed)
    small = rng.uniform(30, 220, (height // 8 + 1, WIDTH // 8))
    return np.kron(small, np.ones((8, 8)))[:height].astype(np.uint8)


def with_bar(prints, *, line=(10, 130), at=(640, 704), light=True, length="2 µm", ticks=True):
    """Burn a bar into a picture: a line with ends at the given columns, its length above it, and more print."""
    ground, ink = (255, 0) if light else (0, 255)
    image = Image.fromarray(picture())
    draw = ImageDraw.Draw(image)
    draw.rectangle([0, at[0], WIDTH, at[1] - 1], fill=ground)
    font = ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf", 16)
    row = at[0] + 44
    draw.line([line[0], row, line[1], row], fill=ink, width=1)
    if ticks:
        for x in line:
            draw.line([x, row - 6, x, row + 6], fill=ink, width=1)
    draw.text((line[0] + 4, at[0] + 8), length, fill=ink, font=font)
    for n, text in enumerate(prints):
        draw.text((220 + 260 * (n % 3), at[0] + 8 + 26 * (n // 3)), text, fill=ink, font=font)
    return np.asarray(image)


def bar_that_says(*lines, line_px=(10.0, 90.0)):
    words = tuple(
        Word(text=text, x_px=10.0 if n == 0 else 200.0 + 150 * n, y_px=4.0, width_px=80.0, height_px=12.0)
        for n, text in enumerate(lines)
    )
    return InfoBar(rows=slice(640, 700), words=words, line_px=line_px)
