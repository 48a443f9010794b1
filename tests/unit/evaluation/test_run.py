"""A whole evaluation, from photos to a report, with a tiny model and tiny judges."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.model_card import CARD_FILE
from gpsdream_app.evaluation.drawing import Artist, Guidance, Progress
from gpsdream_app.evaluation.plan import EvaluationSettings, Plan
from gpsdream_app.evaluation.questions import ask
from gpsdream_app.evaluation.run import evaluate
from gpsdream_app.evaluation.sections import located_by_loss
from gpsdream_app.generation.draw import DrawingCancelled, Painter
from gpsdream_app.library.model_folders import read_card
from gpsdream_app.library.picture_metadata import read_result
from gpsdream_app.photos.catalogue import Catalogue
from gpsdream_app.photos.training_view import photos_of, training_photos, write_prepared
from tests.unit.evaluation.conftest import HELD_OUT, LEARNED, card_with_sources, write_judges

HOSTILE = "</td><script>alert('x')</script><img src=http://127.0.0.1/x>"


def quiet(done: int, total: int, text: str) -> None:
    assert 0 <= done <= total
    assert text


def never() -> bool:
    return False


@pytest.fixture(scope="session")
def settings(measured_model: Path, street: Path, judges: Path) -> EvaluationSettings:
    return EvaluationSettings(str(measured_model), street, judges, quick=True, questions=5, word_places=1, device="cpu")


@pytest.fixture(scope="module")
def finished(
    settings: EvaluationSettings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, list[tuple[int, int, str]]]]:
    """A report, and the progress that was told."""
    told: list[tuple[int, int, str]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GPSDREAM_HOME", str(tmp_path_factory.mktemp("home")))
        out = tmp_path_factory.mktemp("report") / "out"
        page = evaluate(replace(settings, out=out), lambda *args: told.append(args), never)
    yield page, told


@pytest.fixture
def data(finished: tuple[Path, object]) -> dict[str, Any]:
    return json.loads((finished[0].parent / "report.json").read_text(encoding="utf-8"))


def test_the_report_is_a_page_json_a_table_and_pictures(finished: tuple[Path, object], data: dict[str, Any]) -> None:
    page = finished[0]
    assert sorted(path.name for path in page.parent.iterdir()) == [
        "pictures",
        "report.html",
        "report.json",
        "table.txt",
    ]
    assert data["schema"] == 1
    assert data["title"] == "Tiny: measured on photos that it has not seen (quick look)"
    assert data["photos"]["held_out"] == data["photos"]["asked"] == len(HELD_OUT)
    assert data["photos"]["trained_on"] == len(LEARNED)
    assert data["photos"]["sources"] == HELD_OUT
    assert data["questions"]["count"] == 5
    rows = [row["row"] for row in data["rows"]]
    assert rows == [
        "the real photo",
        "nearest photo",
        "text only",
        "text + address",
        "ours",
        "ours, without text",
        "ours, without heading",
        "address alone",
    ]
    assert set(data["recall_vs_area"]) == set(rows)
    assert set(data["quality"]["rows"]) == set(rows) - {"the real photo"}
    heat = data["heat_map"]
    assert len(heat["average"]) == len(heat["place_guidance"])
    assert len(heat["average"][0]) == len(heat["text_guidance"])
    assert heat["best"]["value"] == max(value for line in heat["average"] for value in line)
    assert data["typicality"]["own"]["count"] == len(data["typicality"]["samples"]["own"])
    # The probe knows trees and lamps; the model offers trees, too.
    assert [word["word"] for word in data["words"]] == ["tree"]
    assert data["words"][0]["probe"] is None
    # Two neighbourhoods of six photographs would be needed; eight were learned from along one kilometre.
    assert data["neighbourhoods"] == {}
    [warning] = data["warnings"]
    assert warning.startswith("Fewer than two neighbourhoods have 6 photographs")
    table = (page.parent / "table.txt").read_text(encoding="utf-8")
    assert data["title"] in table
    assert all(row["label"] in table for row in data["rows"])


def figures(values: object) -> Iterator[dict[str, Any]]:
    if isinstance(values, dict):
        if {"value", "low", "high", "count"} <= set(values):
            yield values
        for value in values.values():
            yield from figures(value)
    elif isinstance(values, list):
        for value in values:
            yield from figures(value)


def test_every_figure_lies_in_its_interval(data: dict[str, Any]) -> None:
    found = list(figures(data))
    assert len(found) > 60
    for figure in found:
        assert figure["count"] > 0
        assert figure["low"] <= figure["value"] <= figure["high"]
    for row in data["rows"]:
        assert math.isclose(row["average"]["value"], (row["clip"]["value"] + row["gps"]["value"]) / 2, abs_tol=1e-5)


def test_progress_only_grows_and_ends_at_its_total(finished: tuple[Path, list[tuple[int, int, str]]]) -> None:
    told = finished[1]
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)
    assert len({total for _, total, _ in told}) == 1
    assert told[-1][0] == told[-1][1]


def test_drawn_pictures_carry_what_made_them(finished: tuple[Path, object], data: dict[str, Any]) -> None:
    folder = finished[0].parent
    asked = data["grids"]["questions"][0]
    drawn = read_result(folder / asked["pictures"]["ours"]).request
    assert drawn.prompt == asked["prompt"]
    assert drawn.place is not None
    assert read_result(folder / asked["pictures"]["text only"]).request.place is None
    assert (folder / asked["pictures"]["the real photo"]).suffix == ".jpg"
    assert len(data["grids"]["random_places"]) == 9


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data", "action")]


def links_of(page: str) -> _Links:
    parser = _Links()
    parser.feed(page)
    return parser


def test_the_page_is_self_contained(finished: tuple[Path, object]) -> None:
    page = finished[0].read_text(encoding="utf-8")
    parsed = links_of(page)
    assert parsed.links
    assert all(link.startswith("data:image/") for link in parsed.links)
    assert not parsed.tags & {"script", "link", "iframe", "object", "form"}
    assert "default-src 'none'" in page
    assert not re.search(r"url\(|@import", page)
    # What names the format of SVG is no address that is looked up.
    assert set(re.findall(r"https?://[^\"' <]+", page)) <= {"http://www.w3.org/2000/svg"}
    assert "nan" not in re.sub(r"base64,[^\"]*", "", page).lower().split()


def test_the_same_seed_gives_the_same_figures(
    settings: EvaluationSettings, data: dict[str, Any], tmp_path: Path
) -> None:
    page = evaluate(replace(settings, out=tmp_path / "again"), quiet, never)
    again = json.loads((page.parent / "report.json").read_text(encoding="utf-8"))
    changing = ("seconds", "created", "grids")
    assert {k: v for k, v in again.items() if k not in changing} == {k: v for k, v in data.items() if k not in changing}


# -- what may be asked --


def a_copy(model: Path, folder: Path, sources: list[str] | None, **changes: Any) -> Path:
    shutil.copytree(model, folder)
    (folder / CARD_FILE).write_text(replace(card_with_sources(sources), **changes).to_json(), encoding="utf-8")
    return folder


@pytest.mark.parametrize("sources", [None, LEARNED + HELD_OUT])
def test_training_photos_are_refused(settings: EvaluationSettings, tmp_path: Path, sources: list[str] | None) -> None:
    model = a_copy(Path(settings.model), tmp_path / "model", sources)
    with pytest.raises(GPSDreamError) as raised:
        evaluate(replace(settings, model=str(model), out=tmp_path / "out"), quiet, never)
    failure = raised.value.failure
    assert failure.kind is ErrorKind.BAD_REQUEST
    assert "--seen-too" in failure.hint
    assert ("does not list" if sources is None else "all 12") in failure.message
    assert not (tmp_path / "out").exists()


def test_seen_photos_are_named_in_the_title(settings: EvaluationSettings, tmp_path: Path) -> None:
    model = a_copy(Path(settings.model), tmp_path / "model", None, title="A <b>bold</b> model", city="nowhere")
    page = evaluate(replace(settings, model=str(model), out=tmp_path / "out", seen_too=True, questions=4), quiet, never)
    data = json.loads((page.parent / "report.json").read_text(encoding="utf-8"))
    assert "may have learned from" in data["title"]
    assert any("does not list" in warning for warning in data["warnings"])
    assert any("was trained on" in warning for warning in data["warnings"])
    # Without a map of the city there are no addresses; with every photo seen, its own crops are not its nearest.
    assert {row["row"] for row in data["rows"]} & {"text + address", "address alone", "nearest photo"} == {
        "nearest photo"
    }
    text = page.read_text(encoding="utf-8")
    assert "A &lt;b&gt;bold&lt;/b&gt; model" in text
    assert "<b>bold" not in text


def test_hostile_captions_and_names_stay_text(settings: EvaluationSettings, street: Path, tmp_path: Path) -> None:
    photos = tmp_path / "<i>photos"
    shutil.copytree(street, photos)
    lines = [json.loads(line) for line in (photos / "captions.jsonl").read_text(encoding="utf-8").splitlines()]
    for line in lines:
        line["caption"], line["objects"] = HOSTILE, []
    (photos / "captions.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    # Every other photo looks to the other side of the street.
    rows = (photos / "photos.csv").read_text(encoding="utf-8").splitlines()
    rows = [row.replace(",118.0,", ",298.0,") if number % 2 else row for number, row in enumerate(rows)]
    (photos / "photos.csv").write_text("\n".join(rows), encoding="utf-8")
    page = evaluate(replace(settings, photos=photos, out=tmp_path / "out", questions=4), quiet, never)
    text = page.read_text(encoding="utf-8")
    parsed = links_of(text)
    assert not parsed.tags & {"script", "i"}
    assert all(link.startswith("data:image/") for link in parsed.links)
    assert "&lt;script&gt;" in text
    data = json.loads((page.parent / "report.json").read_text(encoding="utf-8"))
    assert 0 < data["side"]["agreement"]["count"] == data["side"]["pictures"] <= 2 * data["side"]["points"]


def test_judges_that_know_the_photos_are_named(settings: EvaluationSettings, tmp_path: Path) -> None:
    judges = write_judges(tmp_path / "judges", LEARNED + HELD_OUT[:1])
    page = evaluate(replace(settings, judges=judges, out=tmp_path / "out", questions=4), quiet, never)
    warnings = json.loads((page.parent / "report.json").read_text(encoding="utf-8"))["warnings"]
    assert any("“gps-clip” was trained on 1 of the 4" in warning for warning in warnings)


def test_one_judge_is_enough_and_none_is_not(settings: EvaluationSettings, judges: Path, tmp_path: Path) -> None:
    alone = tmp_path / "judges"
    shutil.copytree(judges / "text-clip", alone / "text-clip")
    page = evaluate(replace(settings, judges=alone, out=tmp_path / "out", questions=4), quiet, never)
    data = json.loads((page.parent / "report.json").read_text(encoding="utf-8"))
    assert all(row["clip"] and row["gps"] is None and row["median_area"] is None for row in data["rows"])
    assert data["quality"] == data["recall_vs_area"] == {}
    assert any("no GPS-CLIP" in warning for warning in data["warnings"])
    clip = replace(settings, judges=tmp_path / "empty", clip=judges / "text-clip", out=tmp_path / "other", questions=4)
    assert evaluate(clip, quiet, never).is_file()
    with pytest.raises(GPSDreamError, match="no judges") as raised:
        evaluate(replace(settings, judges=tmp_path / "empty"), quiet, never)
    assert "train-gps-clip" in raised.value.failure.hint


def test_photos_of_another_city_are_refused(settings: EvaluationSettings, tmp_path: Path) -> None:
    card = read_card(Path(settings.model))
    elsewhere = replace(card.box, south=10.0, north=11.0, west=10.0, east=11.0)
    model = a_copy(Path(settings.model), tmp_path / "model", LEARNED, box=elsewhere)
    with pytest.raises(GPSDreamError, match="None of the 12 photos"):
        evaluate(replace(settings, model=str(model), out=tmp_path / "out"), quiet, never)


# -- what is left behind --


@pytest.mark.parametrize("share", [0.0, 0.3, 0.95])
def test_a_cancelled_evaluation_leaves_nothing(settings: EvaluationSettings, tmp_path: Path, share: float) -> None:
    reached = 0.0

    def watch(done: int, total: int, text: str) -> None:
        nonlocal reached
        reached = done / total

    with pytest.raises(DrawingCancelled):
        evaluate(replace(settings, out=tmp_path / "out"), watch, lambda: reached >= share)
    assert not (tmp_path / "out").exists()


def test_a_folder_of_other_things_is_refused(settings: EvaluationSettings, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear", encoding="utf-8")
    with pytest.raises(GPSDreamError, match="no report"):
        evaluate(replace(settings, out=tmp_path), quiet, never)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["letter.txt"]


@pytest.mark.parametrize("wrong", [{"questions": 0}, {"word_places": -1}, {"seed": -1}])
def test_wrong_settings_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(GPSDreamError):
        EvaluationSettings("a", Path("b"), **wrong)  # type: ignore[arg-type]


# -- parts of the full report that a quick look leaves out --


def test_the_model_looks_for_photos_itself(street: Path, measured_model: Path, tmp_path: Path) -> None:
    painter = Painter.load(measured_model, device="cpu")
    artist = Artist(painter, Guidance.of(painter.card), Progress(quiet, never))
    artist.progress.stage("looking")
    with Catalogue(None) as catalogue:
        chosen = training_photos(photos_of(street, catalogue), ())
    prepared = write_prepared(chosen, tmp_path / "prepared", side=48, area=(0, 0, 1, 1))
    asked = ask(prepared, prepared.photos[8:], 32, 4)
    plan = Plan(located_photos=3, located_draws=1)
    found = located_by_loss(artist, asked, prepared.photos, plan, 0)
    assert found["median_area"]["count"] == 3
    assert 0 < found["median_area"]["value"] <= found["search_km2"]
    # Photos stand 104 m apart, and are 100 m long.
    assert 12 <= found["cells"] <= 26
    assert found["search_km2"] == pytest.approx(0.01 * found["cells"], rel=0.2)
    assert located_by_loss(artist, asked, prepared.photos, Plan(located_photos=0), 0) == {}
