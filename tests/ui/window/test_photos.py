"""The Photos place in the window: real photos, a real catalogue, drawings of the scripted engine."""

from __future__ import annotations

import csv
import json
import shutil
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialog, QLabel, QMessageBox, QPlainTextEdit

from gpsdream_app.domain.model_card import CARD_FILE
from gpsdream_app.domain.places import Place
from gpsdream_app.library.model_folders import list_models, verify_model
from gpsdream_app.library.paths import models_dir
from gpsdream_app.library.training_runs import list_runs
from gpsdream_app.photos.records import PhotoRecord
from gpsdream_app.training.config import TrainConfig
from gpsdream_app.ui.models.page import ModelsPage, score_text
from gpsdream_app.ui.models.training import SIZES, TrainState, recipe
from gpsdream_app.ui.photos.grid import read_large, read_upright
from gpsdream_app.ui.photos.model import FlagKind, Show, nearest_record
from gpsdream_app.ui.photos.page import MARK, PhotosPage

from .rig import FLATIRON, HOSTILE, Rig, make_card

NEAR = (40.7410, -73.9897)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve photos near the Flatiron, one with a hostile caption; one far away, one twice, one without a place."""
    folder = tmp_path / "My <i>photos<i> & more"
    folder.mkdir()
    random = np.random.default_rng(0)
    rows = [["file", "lat", "lon", "bearing", "caption"]]
    for number in range(12):
        name = f"photo {number:02}.jpg"
        pixels = random.integers(0, 255, (6, 9, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((90, 60), Image.Resampling.BICUBIC).save(folder / name)
        lat, lon = NEAR[0] + 0.0004 * number, NEAR[1] + 0.0002 * number
        caption = HOSTILE if number == 3 else f"a house number {number}"
        rows.append([name, f"{lat}", f"{lon}", "119" if number % 2 else "299", caption])
    shutil.copy(folder / "photo 05.jpg", folder / "twin.jpg")
    rows.append(["twin.jpg", f"{NEAR[0] + 0.006}", f"{NEAR[1]}", "119", "the same again"])
    far = random.integers(0, 255, (6, 9, 3), dtype=np.uint8)
    Image.fromarray(far).resize((90, 60)).save(folder / "far.jpg")
    rows.append(["far.jpg", "48.85", "2.35", "", "somewhere else"])
    Image.new("RGB", (50, 50), "red").save(folder / "no place.jpg")
    with (folder / "photos.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return folder


def settle(rig: Rig) -> None:
    """Wait until everything is read, the small copies in sight included."""
    page = rig.window.photos
    assert page is not None
    for _ in range(2):
        rig.until(
            lambda: (
                not rig.session.queue
                and rig.session.pending == 0
                and page.state.importing is None
                and page.grid.thumbnails.pending == 0
            )
        )
        rig.qtbot.wait(10)


def enter(rig: Rig, folder: Path | None = None) -> PhotosPage:
    page = rig.window.show_photos()
    settle(rig)
    if folder:
        page.take_folder(folder)
        settle(rig)
    return page


def names(page: PhotosPage) -> list[str]:
    return [item.title for item in page.state.model.items]


def choose(page: PhotosPage, name: str) -> None:
    page.grid.choose(names(page).index(name))


def test_the_place_is_empty_until_a_folder_is_imported(rig: Rig, folder: Path) -> None:
    QTest.keyClick(rig.window, Qt.Key.Key_4, Qt.KeyboardModifier.ControlModifier)
    page = rig.window.photos
    assert page is not None and page.isVisible() and rig.window.rail.photos.isChecked()
    settle(rig)
    assert page.empty.isVisible() and not page.train_button.isEnabled()
    page.take_folder(folder)
    settle(rig)
    assert len(names(page)) == 14 and not page.empty.isVisible()
    assert "14 photos" in page.notice.findChildren(QLabel)[0].text() or rig.session.notice.text.startswith("14 photos")
    assert rig.map.fitted, "the map goes where the photos are"
    assert sum(mark["count"] for mark in rig.map.results) == 14
    assert all(mark["id"].startswith(MARK) for mark in rig.map.results)


def test_files_without_a_place_are_named_with_the_reason(rig: Rig, folder: Path) -> None:
    page = enter(rig, folder)
    page.show_refused()
    settle(rig)
    dialog = rig.window.findChild(QDialog, "refused")
    assert dialog is not None
    text = dialog.findChild(QPlainTextEdit).toPlainText()
    assert "no place.jpg: The photo says nothing about its place." in text
    dialog.close()


def test_an_import_can_be_stopped_and_goes_on_later(rig: Rig, folder: Path) -> None:
    page = enter(rig)
    page.take_folder(folder)
    assert page.import_card.isVisible()
    QTest.mouseClick(page.import_card.stop, Qt.MouseButton.LeftButton)
    settle(rig)
    assert not page.import_card.isVisible()
    page.take_folder(folder)
    settle(rig)
    assert len(names(page)) == 14


def test_a_folder_that_is_gone_is_told_in_a_sentence(rig: Rig, tmp_path: Path) -> None:
    page = enter(rig, tmp_path / "absent")
    assert rig.session.notice is not None and "There is no folder" in rig.session.notice.text
    assert page.state.importing is None


def test_suspicious_photos_are_flagged(rig: Rig, folder: Path) -> None:
    page = enter(rig, folder)
    flags = {item.title: item.flag for item in page.state.items if item.flag}
    assert flags["far.jpg"].kind is FlagKind.FAR
    twins = [flag for flag in flags.values() if flag.kind is FlagKind.TWO_PLACES]
    assert len(twins) == 1 and 400 < twins[0].metres < 900
    page.filters.choose(Show.FAR)
    settle(rig)
    assert set(names(page)) == set(flags)
    choose(page, "far.jpg")
    assert "from the middle of the other photos" in page.detail.flag.text()


def test_words_folder_and_map_narrow_the_list(rig: Rig, folder: Path) -> None:
    page = enter(rig, folder)
    page.filters.words.setText("NUMBER 11")
    settle(rig)
    assert names(page) == ["photo 11.jpg"]
    page.filters.words.clear()
    rig.map.view_changed.emit(48.85, 2.35, 15.0)
    page.tools.narrow.setChecked(True)
    settle(rig)
    assert names(page) == ["far.jpg"]
    page.tools.narrow.setChecked(False)
    page.filters.choose(Show.NO_HEADING)
    settle(rig)
    assert names(page) == ["far.jpg"]


def test_a_mark_on_the_map_chooses_its_photo(rig: Rig, folder: Path) -> None:
    page = enter(rig, folder)
    rig.map.view_changed.emit(*NEAR, 18.0)
    settle(rig)
    alone = next(mark for mark in rig.map.results if mark["lat"] > 48)
    rig.map.result_clicked.emit(alone["id"])
    assert [item.title for item in page.chosen()] == ["far.jpg"]
    rig.map.result_clicked.emit("row:1")
    rig.map.result_clicked.emit(f"{MARK}99999")


def test_leaving_out_can_be_undone_and_survives(rig: Rig, folder: Path) -> None:
    page = enter(rig, folder)
    choose(page, "far.jpg")
    page.grid.setFocus()
    QTest.keyClick(page.grid, Qt.Key.Key_Delete)
    settle(rig)
    assert page.chosen()[0].left_out if page.chosen() else True
    assert [item.title for item in page.state.items if item.left_out] == ["far.jpg"]
    assert (folder / "far.jpg").exists()
    page.state.refresh()
    settle(rig)
    assert [item.title for item in page.state.items if item.left_out] == ["far.jpg"]
    page.leave_out_flagged()
    settle(rig)
    assert sum(bool(item.left_out) for item in page.state.items) == 2
    page.undo()
    settle(rig)
    page.undo()
    settle(rig)
    assert not any(item.left_out for item in page.state.items)


def test_a_place_is_drawn_beside_its_photo(rig: Rig, folder: Path) -> None:
    page = enter(rig, folder)
    choose(page, "photo 03.jpg")
    rig.session.form.prompt = ""
    QTest.keyClick(page.grid, Qt.Key.Key_Return)
    settle(rig)
    assert page.body.currentIndex() == page.BESIDE
    result = page.beside.result
    assert result is not None
    place = result.request.place
    assert place.heading == 119 and abs(place.lat - (NEAR[0] + 0.0012)) < 1e-6
    assert not page.beside.photo.images[0].isNull() and not page.beside.drawn.images[0].isNull()
    for label in page.findChildren(QLabel):
        assert label.textFormat() is Qt.TextFormat.PlainText or not label.text()
    assert page.escape() and page.body.currentIndex() == page.LIST


def test_forgetting_a_folder_keeps_its_files(rig: Rig, folder: Path) -> None:
    page = enter(rig, folder)
    page._ask_forget(page.state.collections[0].folder)
    box = rig.window.findChild(QMessageBox, "forget")
    next(button for button in box.buttons() if button.text() == "Forget").click()
    settle(rig)
    assert names(page) == [] and len(list(folder.iterdir())) == 16


def test_the_nearest_photo_stands_under_a_picture(rig: Rig, folder: Path) -> None:
    rig.draw(FLATIRON)
    assert not rig.window.nearest.isVisible()
    enter(rig, folder)
    rig.window.show_page(rig.window.splitter)
    rig.draw(Place(NEAR[0] + 0.0004 * 4, NEAR[1] + 0.0002 * 4, 110))
    rig.until(rig.window.nearest.isVisible)
    # Photo 4 looks the other way, so that it shows the other side of the street.
    assert rig.window.nearest.record.path.name in ("photo 03.jpg", "photo 05.jpg")
    rig.window.nearest.click()
    settle(rig)
    page = rig.window.photos
    assert page.body.currentIndex() == page.BESIDE and page.beside.result is not None
    rig.window.show_page(rig.window.splitter)
    rig.draw(Place(-33.0, 151.0))
    rig.until(lambda: not rig.window.nearest.isVisible())


def test_the_nearest_photo_looks_the_same_way() -> None:
    def at(north: float, heading: float | None) -> PhotoRecord:
        return PhotoRecord(Path(f"{north}"), 40.0 + north / 111_000, -73.0, heading)

    place = Place(40.0, -73.0, 10)
    assert nearest_record([], place) is None
    record, metres = nearest_record([at(5, 190), at(20, 350), at(30, None)], place)
    assert record.path.name == "20" and 19 < metres < 21
    assert nearest_record([at(5, 190)], place)[0].path.name == "5"


def test_photos_stand_upright_and_broken_ones_are_no_picture(tmp_path: Path) -> None:
    turned = Image.new("RGB", (80, 40), "white")
    exif = turned.getexif()
    exif[274] = 6
    turned.save(tmp_path / "turned.jpg", exif=exif)
    assert read_upright(tmp_path / "turned.jpg", 64).size == (32, 64)
    assert read_large(tmp_path / "turned.jpg").width() == 40
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing")
    assert read_large(tmp_path / "broken.jpg").isNull() and read_large(tmp_path / "absent.jpg").isNull()


# -- training --


@pytest.mark.parametrize("name", SIZES)
def test_every_size_is_a_recipe_that_the_trainer_takes(name: str) -> None:
    assert TrainConfig.from_dict(json.loads(json.dumps(recipe(name)))) == SIZES[name]


def make_model(folder: Path) -> Path:
    """Write the smallest folder that counts as a whole model."""
    (folder / "unet").mkdir(parents=True)
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "P", "unet": ["diffusers", "UNet"]}))
    (folder / "unet" / "config.json").write_text("{}")
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    weights = struct.pack("<Q", len(header)) + header + bytes(4)
    (folder / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(weights)
    (folder / CARD_FILE).write_text(make_card().to_json(), encoding="utf-8")
    return folder


@pytest.fixture
def trainer(rig: Rig, tmp_path: Path) -> Callable[[str], None]:
    """Put the stand-in in the trainer's place; call it with how it is to end."""
    template = make_model(tmp_path / "template")
    script = Path(__file__).with_name("stand_in_trainer.py")
    rig.session.training.command = (sys.executable, str(script), f"--template={template}")

    def end(how: str) -> None:
        (tmp_path / "ending.txt").write_text(how)

    return end


def test_a_model_is_trained_stopped_and_gone_on_with(rig: Rig, folder: Path, trainer: Callable[[str], None]) -> None:
    page = enter(rig, folder)
    QTest.mouseClick(page.train_button, Qt.MouseButton.LeftButton)
    settle(rig)
    part, training = page.train, rig.session.training
    assert part.begin.isEnabled() and "14 photos" in part.photos_text.text()
    trainer("wait")
    part.name.setText(HOSTILE[:70])
    part.minutes.show_number(12)
    QTest.mouseClick(part.begin, Qt.MouseButton.LeftButton)
    rig.until(lambda: training.step == 5)
    training.look()
    rig.until(lambda: len(part.plot.curve.loss) == 5 and not part.sheet.images[0].isNull())
    assert part.live.isVisible() and not part.form.isVisible()
    assert "Step 5 of 100" in part.progress.text()
    job = rig.session.queue.outside[0]
    assert HOSTILE[:20] in job.title and "Step 5" in job.text
    rig.window.show_page(rig.window.splitter)
    job.show()
    assert page.isVisible() and part.isVisible()
    QTest.mouseClick(part.stop, Qt.MouseButton.LeftButton)
    rig.until(lambda: not training.running and rig.session.pending == 0)
    run = training.run
    assert run is not None and not run.finished and run.minutes == 12
    assert rig.session.queue.outside == []
    assert training.failure is None and part.resume.isVisible()
    titles = {model.name: model.card.title for model in list_models()}
    assert titles[run.name] == HOSTILE[:70].strip()
    assert run.name in {model.name for model in rig.session.installed}
    trainer("done")
    QTest.mouseClick(part.resume, Qt.MouseButton.LeftButton)
    rig.until(lambda: training.run.finished and rig.session.pending == 0)
    assert list_runs()[0].finished and len(training.curve.loss) >= 5
    assert not part.resume.isVisible() and rig.session.notice.action == "Use it now"
    rig.session.notice.call()
    rig.until(lambda: rig.session.pending == 0)
    assert rig.session.form.model == run.name


@pytest.mark.parametrize(
    ("how", "sentence"), [("refuse", "spread over two cities"), ("crash", "ended without an answer")]
)
def test_a_training_that_fails_says_why_and_can_go_on(
    rig: Rig, folder: Path, trainer: Callable[[str], None], how: str, sentence: str
) -> None:
    page = enter(rig, folder)
    page.show_train()
    trainer(how)
    page.train.begin_now()
    training = rig.session.training
    rig.until(lambda: training.state is TrainState.FAILED)
    assert sentence in page.train.failure_text.text()
    assert page.train.resume.isVisible() and page.train.form.isVisible()
    training.forget_failure()
    assert not page.train.failing.isVisible()
    training.discard(training.run)
    rig.until(lambda: rig.session.pending == 0 and not list_runs())


def test_too_few_photos_train_nothing(rig: Rig, folder: Path) -> None:
    page = enter(rig, folder)
    page.state.leave_out(page.state.items[:8], out=True)
    settle(rig)
    page.show_train()
    assert not page.train.begin.isEnabled() and "at least 8" in page.train.why_not.text()


def test_closing_the_window_ends_the_trainer(rig: Rig, folder: Path, trainer: Callable[[str], None]) -> None:
    page = enter(rig, folder)
    page.show_train()
    trainer("wait")
    page.train.begin_now()
    training = rig.session.training
    rig.until(lambda: training.step == 5)
    process = training._process
    rig.window.end()
    assert process is not None and not training.running
    assert list_runs() and (list_runs()[0].folder / "model").is_dir()


TINY = {
    "model": {
        "image_size": 32,
        "latent_channels": 4,
        "unet_channels": [16, 32],
        "unet_attention": [False, True],
        "unet_heads": 2,
        "text_width": 16,
        "text_layers": 1,
        "text_heads": 2,
        "vocabulary_size": 600,
        "max_tokens": 16,
        "location_hidden": 16,
        "refiner_widths": [8, 8, 8],
        "refiner_blocks": 1,
        "map_channels": 2,
        "map_cell_metres": [10.0, 100.0],
        "map_features": [2, 2],
        "map_cells": 256,
        "map_hidden": 8,
    },
    "data": {"stored_side": 48, "validation_share": 0.25},
    "loop": {
        "steps": 100_000,
        "batch": 4,
        "codec_steps": 4,
        "refiner_steps": 2,
        "map_steps": 3,
        "map_batch": 4,
        "validate_every": 40,
        "checkpoint_every": 20,
    },
    "card": {"defaults": {"steps": 2}},
}


@pytest.mark.slow
def test_the_real_trainer_learns_stops_and_goes_on(rig: Rig, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SIZES, "small", TrainConfig.from_dict(TINY))
    page = enter(rig, folder)
    page.show_train()
    training = rig.session.training
    page.train.begin_now()
    rig.qtbot.waitUntil(lambda: training.state is TrainState.FAILED, timeout=180_000)
    assert training.failure is not None and "more than one city" in training.failure.message
    training.discard(training.run)
    choose(page, "far.jpg")
    page.toggle_left_out()
    settle(rig)
    page.train.begin_now()
    rig.qtbot.waitUntil(
        lambda: training.step > 40 and training.curve.validation != [] and not training.sheet.isNull(),
        timeout=180_000,
    )
    training.stop()
    rig.qtbot.waitUntil(lambda: not training.running and rig.session.pending == 0, timeout=180_000)
    run, steps = training.run, training.curve.steps
    assert run is not None and not run.finished and training.failure is None
    model = next(model for model in list_models() if model.name == run.name)
    assert model.card.image_size == 32 and model.card.training["photos"] == 10
    assert verify_model(model.path) == []
    training.go_on(run)
    rig.qtbot.waitUntil(lambda: training.step > steps, timeout=180_000)
    training.stop()
    rig.qtbot.waitUntil(lambda: not training.running and rig.session.pending == 0, timeout=180_000)
    again = next(model for model in list_models() if model.name == run.name)
    assert again.card.training["steps"] > model.card.training["steps"] >= 40


# -- models --


def enter_models(rig: Rig) -> ModelsPage:
    page = rig.window.show_models()
    rig.until(lambda: rig.session.pending == 0)
    return page


def test_models_are_listed_with_their_cards_and_what_they_have_seen(rig: Rig) -> None:
    page = enter_models(rig)
    assert page.chosen is not None and page.chosen.name == "postcards"
    texts = [label.text() for label in page.findChildren(QLabel)]
    assert "7 photos; the map shows where" in texts and "not given" in texts
    assert rig.map.coverage["cells"] == [[0, 0, 7]]
    page.choose("fifth-avenue-1911")
    assert len(rig.map.coverage["cells"]) > 10 and page.title.text() == "Fifth Avenue, 1911"
    assert not page.remove.isEnabled()
    page.escape()
    assert rig.window.exploring and rig.map.coverage["cells"] == [[0, 0, 7]]


def test_a_hostile_card_is_shown_as_it_is(rig: Rig) -> None:
    card = make_card(
        name="hostile",
        title=HOSTILE,
        description=HOSTILE + "\0\u202e" + "x" * 1_000_000,
        licence="<script>alert(1)</script>",
        words=tuple(f"<b>{number}</b>" for number in range(5000)),
        scores={"<i>score</i>": {"value": 1.5, "on": HOSTILE}, "deep": {"a": {"b": {"c": [1] * 100}}}},
        training={"data": HOSTILE, "sources": ["x"] * 10_000},
    )
    (models_dir() / "hostile").mkdir()
    (models_dir() / "hostile" / CARD_FILE).write_text(card.to_json(), encoding="utf-8")
    page = enter_models(rig)
    page.choose("hostile")
    for label in page.findChildren(QLabel):
        assert label.textFormat() is Qt.TextFormat.PlainText or not label.text()
        assert "\u202e" not in label.text() and "\0" not in label.text() and len(label.text()) < 2000
    assert score_text({"value": 1.5, "on": "held-out photos"}) == "1.5, held-out photos"


def test_a_folder_is_added_verified_removed_and_brought_back(rig: Rig, tmp_path: Path) -> None:
    page = enter_models(rig)
    page.add(make_model(tmp_path / "Somebody's model"))
    rig.until(lambda: not page.shelf.adding and rig.session.pending == 0)
    assert page.chosen is not None and page.chosen.name == "somebody-s-model"
    QTest.mouseClick(page.verify, Qt.MouseButton.LeftButton)
    rig.until(lambda: rig.session.pending == 0)
    assert page.state.text() == "Every file is there and whole."
    (page.chosen.path / "unet" / "config.json").write_text("{")
    QTest.mouseClick(page.verify, Qt.MouseButton.LeftButton)
    rig.until(lambda: rig.session.pending == 0)
    assert "unet/config.json cannot be read" in page.state.text()
    QTest.keyClick(page.list, Qt.Key.Key_Delete)
    rig.until(lambda: rig.session.pending == 0)
    assert page.shelf.find("somebody-s-model") is None
    assert rig.session.notice is not None and rig.session.notice.action == "Undo"
    rig.session.notice.call()
    rig.until(lambda: rig.session.pending == 0)
    assert page.shelf.find("somebody-s-model") is not None
    page.add(tmp_path)
    rig.until(lambda: not page.shelf.adding and rig.session.pending == 0)
    assert "is not a model" in rig.session.notice.text


def test_the_cache_of_other_programs_is_offered(rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "hub"
    make_model(cache / "models--some--street & house" / "snapshots" / "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    page = enter_models(rig)
    found: list[str] = []

    def take(cached: list) -> None:
        menu = page.cache_menu(cached)
        found.extend(action.text() for action in menu.actions())
        menu.actions()[0].trigger()

    page.shelf.read_cache(take)
    rig.until(lambda: bool(found) and not page.shelf.adding and rig.session.pending == 0)
    assert found[0].startswith("some/street && house · knows places")
    assert page.shelf.find("street-house") is not None
