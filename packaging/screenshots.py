#!/usr/bin/env python3
"""Take the screenshots of the documentation from the real window, engine and models, on a virtual display.

    .venv/bin/python packaging/screenshots.py --out out/screenshots
    .venv/bin/python packaging/screenshots.py --tour                     renew docs/images/tour
    .venv/bin/python packaging/screenshots.py --scenes library palette --themes dark --scales 2

What is shown is made first, in a folder of its own that is deleted at the end: a picture, an average, a lift, and an
import of photos that the landmark photographer takes. That lasts some minutes on two cores. Linux only: it needs Xvfb.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gpsdream_app.ui.window import MainWindow

ROOT = Path(__file__).resolve().parent.parent
TOUR = ROOT / "docs" / "images" / "tour"
TOUR_SCENES = ("explore", "regions", "landmarks", "photos", "library", "palette")
SCENES = (*TOUR_SCENES, "settings", "shortcuts", "train")
THEMES = ("light", "dark")
SCALES = (1, 2)
WIDTH, HEIGHT = 1360, 860  # of the window, which fills the display, in pixels at 1x
TOUR_WIDTH, TOUR_QUALITY = 880, 34
QUALITY = 60
PATIENCE = 900.0  # seconds for one thing to be made on a busy computer
REST = 3000  # milliseconds: the map flies, and thumbnails come
LANDMARK = "flatiron"
PHOTOS_OF = ("flatiron", "washington-square-arch", "empire-state-building")
PHOTOS_OF_EACH = 8
PHOTOS_FOLDER = Path("photos", "Manhattan")
INSIDE = "GPSDREAM_SCREENSHOTS_INSIDE"


def say(text: str) -> None:
    """Print a line about what happens now."""
    print(f"screenshots: {text}", flush=True)


# --- outside: a display, a folder, and one process per scale ----------------------------------------------


@contextlib.contextmanager
def display(width: int, height: int) -> Iterator[str]:
    """Yield the name of a virtual display of this size in pixels; it ends with the block."""
    read_end, write_end = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write_end), "-screen", "0", f"{width}x{height}x24", "-nolisten", "tcp"],
        pass_fds=[write_end],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(write_end)
    try:
        with os.fdopen(read_end) as pipe:
            number = pipe.readline().strip()
        if not number:
            sys.exit("screenshots: the virtual display (Xvfb) did not start.")
        yield f":{number}"
    finally:
        server.terminate()
        server.wait(10)


def take_photos(folder: Path) -> None:
    """Take a few photos of landmarks in Manhattan, with GPS, for the Photos place to import."""
    for landmark in PHOTOS_OF:
        command = [sys.executable, "-m", "gpsdream_app.landmarks.photographer", "--landmark", landmark]
        command += ["--count", str(PHOTOS_OF_EACH), "--size", "256", "--out", str(folder)]
        subprocess.run(command, cwd=ROOT, check=True, stdin=subprocess.DEVNULL)


def outside(options: argparse.Namespace) -> int:
    """Run the inside once per scale; they share what was made."""
    with tempfile.TemporaryDirectory(prefix="gpsdream-screenshots-") as name:
        home = options.home or Path(name)
        photos = home / PHOTOS_FOLDER
        if {"photos", "train"} & set(options.scenes) and not photos.is_dir():
            take_photos(photos)
        for scale in options.scales:
            with display(WIDTH * scale, HEIGHT * scale) as screen:
                env = dict(os.environ)
                env.pop("WAYLAND_DISPLAY", None)
                env |= {
                    INSIDE: str(scale),
                    "DISPLAY": screen,
                    "QT_QPA_PLATFORM": "xcb",
                    "QT_SCALE_FACTOR": str(scale),
                    "GPSDREAM_HOME": str(home),
                    "GPSDREAM_WINDOW_TOUR_SEEN": "1",
                }
                command = [sys.executable, __file__, "--out", str(options.out), "--quality", str(options.quality)]
                command += ["--scenes", *options.scenes, "--themes", *options.themes]
                if options.tour:
                    command.append("--tour")
                code = subprocess.run(command, env=env, cwd=ROOT, check=False, stdin=subprocess.DEVNULL).returncode
                if code:
                    return code
    return 0


# --- inside: the window -----------------------------------------------------------------------------------


class Photographer:
    """The real program, and a camera before its display."""

    def __init__(self, window: MainWindow) -> None:
        self.window, self.session = window, window.session
        self.photos = Path(os.environ["GPSDREAM_HOME"]) / PHOTOS_FOLDER

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Let the window live until something is so; end the program with a sentence if it does not happen."""
        from PySide6.QtTest import QTest

        end = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > end:
                notice = self.session.notice
                sys.exit(f"screenshots: {what} did not happen. {notice.text if notice else ''}".rstrip())
            QTest.qWait(50)

    def idle(self) -> None:
        """Wait until nothing is drawn, read or written."""
        session = self.session
        self.until(lambda: not session.queue and session.pending == 0, "coming to rest")

    def rest(self) -> None:
        """Wait until nothing moves any more."""
        from PySide6.QtTest import QTest

        QTest.qWait(REST)
        self.idle()

    def take(self, path: Path, quality: int, width: int = 0) -> None:
        """Write all that the display shows as WebP, no wider than `width` pixels unless that is 0."""
        from PIL import Image, ImageGrab

        picture = ImageGrab.grab(xdisplay=os.environ["DISPLAY"]).convert("RGB")
        if width and picture.width > width:
            height = round(picture.height * width / picture.width)
            picture = picture.resize((width, height), Image.Resampling.LANCZOS)
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path, "WEBP", quality=quality, method=6)
        say(f"{path.name}: {picture.width} x {picture.height}, {path.stat().st_size:,} bytes")

    # -- scenes: each shows one thing, and makes what is not there yet --

    def explore(self) -> None:
        """Draw the model's example places, one after the other, and stay at the first."""
        from PySide6.QtCore import Qt
        from PySide6.QtTest import QTest

        window, session, form = self.window, self.session, self.session.form
        window.show_page(window.splitter)
        if session.card is None:
            sys.exit("screenshots: no model is installed.")
        examples = session.card.examples
        if not session.film.results:
            for example in reversed(examples):
                form.set_place(example.place)
                form.prompt = example.prompt
                QTest.mouseClick(window.draw, Qt.MouseButton.LeftButton)
                self.idle()
        session.show_result(session.film.results[0].id)
        session.fly.emit(examples[0].place.lat, examples[0].place.lon, 16.0)
        window.map.setFocus()

    def regions(self) -> None:
        """Draw the averages of the regions that are chosen at first."""
        page = self.window.show_neighbourhoods()
        state = page.state
        self.until(lambda: state.book.is_read, "reading the regions")
        state.book.select_first()
        state.averages.change(places=16)
        self.until(lambda: state.idle, "looking up averages")
        if state.averages.missing:
            page.draw()
            self.until(lambda: state.idle and not state.averages.missing, "the averages")
        self.window.map.setFocus()

    def landmarks(self) -> None:
        """Lift a landmark the quick way."""
        from gpsdream_app.domain.lifts import LiftMethod, LiftQuality

        page = self.window.show_landmarks()
        state = page.state
        self.until(lambda: state.models_read and state.idle, "reading the landmarks")
        state.choose(LANDMARK)
        state.change(method=LiftMethod.VIEWS, quality=LiftQuality.FAST)
        if not state.lifts.of(LANDMARK):
            page.draw()
            self.until(lambda: state.lifts.of(LANDMARK), "the lift")
        page.show_result(state.lifts.of(LANDMARK)[0])
        page.fly_to_chosen()
        page.list.setFocus()

    def photos_place(self) -> None:
        """Import the photos."""
        page = self.window.show_photos()
        page.show_list()
        self.idle()
        if not page.state.collections:
            page.take_folder(self.photos)
            self.until(lambda: page.state.importing is None and page.state.collections, "the import")
            self.idle()
        page.tools.fit_asked.emit()
        page.grid.setFocus()
        page.grid.setCurrentIndex(page.grid.model().index(0, 0))

    def train(self) -> None:
        """Open the form for training."""
        self.photos_place()
        self.idle()
        self.window.show_photos().show_train()

    def library(self) -> None:
        """Show everything that the other scenes have made."""
        page = self.window.show_library()
        page.show_list()
        self.idle()
        page.grid.setFocus()
        page.grid.setCurrentIndex(page.grid.model().index(0, 0))

    def palette(self) -> None:
        """Open the command palette over Explore."""
        from PySide6.QtTest import QTest

        self.explore()
        self.rest()
        comfort = self.window.comfort
        comfort.show_palette()
        QTest.keyClicks(comfort.palette.edit, "park")

    def shortcuts(self) -> None:
        """Open the list of keys."""
        self.window.show_page(self.window.splitter)
        self.window.comfort.show_keys()

    def settings(self) -> None:
        """Go to the settings."""
        self.window.comfort.show_settings()

    def scene(self, name: str) -> None:
        """Show one scene, by its name."""
        comfort = self.window.comfort
        comfort.palette.dismiss()
        comfort.sheet.dismiss()
        getattr(self, {"photos": "photos_place"}.get(name, name))()
        self.session.dismiss()
        self.rest()


def inside(options: argparse.Namespace) -> int:
    """Open the window, go through the scenes in every theme, and close it."""
    from PySide6.QtCore import QCoreApplication, QEvent

    from gpsdream_app.engine.client import ProcessEngine
    from gpsdream_app.library.paths import user_data_dir
    from gpsdream_app.ui.app import make_application
    from gpsdream_app.ui.session import Session
    from gpsdream_app.ui.settings import Settings
    from gpsdream_app.ui.theme import Theme, ThemeChoice
    from gpsdream_app.ui.window import MainWindow

    application = make_application()
    theme = Theme(application)
    theme.choice, theme.less_motion = ThemeChoice(options.themes[0]), True
    session = Session(ProcessEngine(), Settings(user_data_dir()))
    window = MainWindow(theme, session)
    window.setGeometry(0, 0, WIDTH, HEIGHT)
    window.show()
    window.activateWindow()
    camera = Photographer(window)
    scale = int(os.environ[INSIDE])
    try:
        session.start()
        camera.until(lambda: window.map.is_ready and session.card is not None, "the start of the map")
        camera.rest()
        for name in options.themes:
            theme.choice = ThemeChoice(name)
            for scene in options.scenes:
                camera.scene(scene)
                path = TOUR / f"{scene}.webp" if options.tour else options.out / f"{scene}-{name}-{scale}x.webp"
                camera.take(path, options.quality, TOUR_WIDTH if options.tour else 0)
    finally:
        window.end()
        session.close()
        window.deleteLater()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the arguments and take the screenshots."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "screenshots", help="folder for the pictures")
    parser.add_argument("--scenes", nargs="+", choices=SCENES, default=list(SCENES), metavar="SCENE", help=str(SCENES))
    parser.add_argument("--themes", nargs="+", choices=THEMES, default=list(THEMES), metavar="THEME", help=str(THEMES))
    parser.add_argument("--scales", nargs="+", type=int, choices=SCALES, default=list(SCALES), metavar="N", help="1, 2")
    parser.add_argument("--quality", type=int, default=QUALITY, help=f"of the WebP files, 1 to 100 ({QUALITY})")
    parser.add_argument("--home", type=Path, help="keep what is made in this folder, for the next call")
    parser.add_argument("--tour", action="store_true", help="write docs/images/tour: light, 1x, the scenes of the tour")
    options = parser.parse_args(arguments)
    if os.environ.get(INSIDE):
        return inside(options)
    options.out = options.out.absolute()
    options.home = options.home.absolute() if options.home else None
    if options.tour:
        options.themes, options.scales, options.quality = ["light"], [1], TOUR_QUALITY
        options.scenes = [name for name in options.scenes if name in TOUR_SCENES]
    if not shutil.which("Xvfb"):
        sys.exit("screenshots: Xvfb is missing (on Debian: xvfb).")
    return outside(options)


if __name__ == "__main__":
    sys.exit(main())
