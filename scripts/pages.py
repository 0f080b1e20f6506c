"""Draw every page of the window in every look: light, dark, high contrast of both, at 100 % and 200 %.

    python scripts/pages.py [--language de] [--out build/pages] [NAME…]

Each look gets a folder of pictures and one contact sheet, `LOOK.png`, with all of them side by side. The best go to
docs/images, too.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QColor, QGuiApplication, QImage, QPainter

ROOT = Path(__file__).resolve().parents[1]
FONT_PX = 13
PERCENTS = (100, 200)
CONTRASTS = ("", "high")
SCHEMES = ("light", "dark")
SCREEN = ROOT / "tests" / "data" / "screen.json"
IMAGES = ROOT / "docs" / "images"
BEST = {
    "speaking": "conversation",
    "searching": "search",
    "first_steps_1": "first-steps",
    "settings_testing": "settings-sound",
    "inspector": "inspector",
}
COLUMNS, WIDTH, HEIGHT, GAP, WORDS = 5, 560, 400, 12, 20


def draw(folder: Path, *, contrast: str, percent: int, language: str, names: Sequence[str]) -> subprocess.Popen[bytes]:
    """Begin to draw the pages of one look in a process of its own, for Qt has one font and one language."""
    env = os.environ | {"NOVADESK_PREVIEW_FONT_PX": str(FONT_PX * percent // 100), "NOVADESK_LANGUAGE": language}
    env["NOVADESK_CONTRAST"] = contrast
    env["QT_QPA_PLATFORM"] = f"offscreen:configfile={SCREEN}"
    command = [sys.executable, "-m", "novadesk.ui.preview", str(folder), *names]
    return subprocess.Popen(command, env=env, cwd=ROOT)


def sheet(pictures: Sequence[Path]) -> QImage:
    """Return pictures side by side, each with its name."""
    rows = -(-len(pictures) // COLUMNS)
    whole = QImage(COLUMNS * (WIDTH + GAP) + GAP, rows * (HEIGHT + WORDS + GAP) + GAP, QImage.Format.Format_RGB32)
    whole.fill(QColor("#808080"))
    painter = QPainter(whole)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.setPen(QColor("#FFFFFF"))
    for number, file in enumerate(pictures):
        left = GAP + number % COLUMNS * (WIDTH + GAP)
        top = GAP + number // COLUMNS * (HEIGHT + WORDS + GAP)
        picture = QImage(str(file))
        fits = picture.size().scaled(WIDTH, HEIGHT, Qt.AspectRatioMode.KeepAspectRatio)
        painter.drawText(left, top + WORDS - 6, file.stem)
        painter.drawImage(QRect(left, top + WORDS, fits.width(), fits.height()), picture)
    painter.end()
    return whole


def keep_best(folder: Path) -> None:
    """Put the pictures of the README among its images; those of the real program may take their places."""
    for (page, name), scheme in product(BEST.items(), SCHEMES):
        picture = folder / f"{page}-{scheme}.png"
        if picture.exists():
            shutil.copyfile(picture, IMAGES / f"{name}-{scheme}.png")


def main(arguments: Sequence[str]) -> int:
    """Draw every look; return the exit code."""
    parser = argparse.ArgumentParser(description="Draw every page of the window in every look.")
    parser.add_argument("names", nargs="*", help="only these pages")
    parser.add_argument("--language", default="en")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "pages")
    chosen = parser.parse_args(arguments)
    _application = QGuiApplication(["pages"])
    looks: dict[str, subprocess.Popen[bytes]] = {}
    for contrast, percent in product(CONTRASTS, PERCENTS):
        look = "-".join(part for part in (chosen.language, contrast and "contrast", str(percent)) if part)
        looks[look] = draw(
            chosen.out / look, contrast=contrast, percent=percent, language=chosen.language, names=chosen.names
        )
    drawn = {look: process.wait() == 0 for look, process in looks.items()}
    for look in drawn:
        for scheme in SCHEMES:
            pictures = sorted((chosen.out / look).glob(f"*-{scheme}.png"))
            sheet(pictures).save(str(chosen.out / f"{look}-{scheme}.png"))
        sys.stdout.write(f"{chosen.out / look}\n")
    if all(drawn.values()) and chosen.language == "en":
        keep_best(chosen.out / f"en-{PERCENTS[0]}")
    return 0 if all(drawn.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
