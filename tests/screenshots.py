"""Takes the pictures of the report in ``docs/``: ``python -m tests.screenshots results/report docs``.

Needs Chromium and playwright.
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path
from typing import Any

from PIL import Image

WIDE = {"width": 1200, "height": 900}
PHONE = {"width": 390, "height": 844}
CELL = "roles-6.html#roles-6/baseline/mnist"
DESKTOP = {  # picture -> page, height
    "report-front.png": ("index.html", 900),
    "report-table.png": ("roles-6.html", 860),
    "report-evidence.png": (CELL, 760),
}
ON_PHONE = ("roles-6.html", CELL, "parity.html")  # beside each other in one picture
GAP = 20  # pixels between them
COLOURS = 64


def taken(browser: Any, folder: Path, page: str, size: dict[str, int]) -> Image.Image:
    """A page of the report in ``folder`` as a window of ``size`` has it."""
    opened = browser.new_page(viewport=size)
    opened.goto(f"file://{folder.resolve()}/{page}")
    opened.wait_for_timeout(300)  # until the address has been scrolled to
    picture = Image.open(io.BytesIO(opened.screenshot())).convert("RGB")
    opened.close()
    return picture


def beside(pictures: list[Image.Image]) -> Image.Image:
    """The pictures from left to right, with a grey gap between them."""
    width = sum(picture.width for picture in pictures) + GAP * (len(pictures) - 1)
    made = Image.new("RGB", (width, pictures[0].height), "#98a2ac")
    left = 0
    for picture in pictures:
        made.paste(picture, (left, 0))
        left += picture.width + GAP
    return made


def save(picture: Image.Image, path: Path) -> None:
    fewer = picture.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    fewer.save(path, "PNG", optimize=True)
    print(f"{path}: {path.stat().st_size:,} bytes")


def main(report: Path, docs: Path) -> None:
    from playwright.sync_api import sync_playwright

    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        for name, (page, height) in DESKTOP.items():
            save(taken(browser, report, page, {**WIDE, "height": height}), docs / name)
        save(beside([taken(browser, report, page, PHONE) for page in ON_PHONE]), docs / "report-phone.png")
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
