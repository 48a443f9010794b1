from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gpsdream_app.domain.errors import GPSDreamError
from gpsdream_app.evaluation.questions import ask, file_name, part_photos, photos_to_ask, sample, standing_crops
from gpsdream_app.photos.prepared import PreparedPhotos, PreparedWriter, TrainingPhoto, View
from tests.unit.evaluation.conftest import card_with_sources


@pytest.fixture
def prepared(tmp_path: Path) -> PreparedPhotos:
    """Three panoramas, four times as wide as high and with six views each, and one photo of a phone."""
    writer = PreparedWriter(tmp_path / "prepared", 32)
    for number in range(3):
        views = tuple(View((i + 0.5) / 6, f"caption {number} {i}", ("tree", "lamp", f"thing {i}")) for i in range(6))
        image = Image.fromarray(np.full((32, 128), 60 * number, np.uint8))
        source = f"/far/away/wide{number}.jpg"
        writer.add(
            image,
            TrainingPhoto(f"wide{number}.jpg", 40.74, -73.99, 118.0, source, (0.0, 120.0), views),
            (0, 0, 1, 1),
        )
    phone = Image.fromarray(np.full((64, 48, 3), 200, np.uint8))
    writer.add(phone, TrainingPhoto("phone.jpg", 40.75, -73.98, None, "phone.jpg"), (0, 0, 1, 1))
    return writer.finish({})


def test_names_are_the_last_part_of_any_path() -> None:
    assert file_name("/a/b.jpg") == file_name("C:\\a\\b.jpg") == file_name("b.jpg") == "b.jpg"
    assert TrainingPhoto("crop_1.jpg", 0, 0, source="photos/whole.jpg").source_name == "whole.jpg"


def test_photos_are_parted_by_what_the_card_lists(prepared: PreparedPhotos) -> None:
    sides = part_photos(prepared.photos, card_with_sources(["wide0.jpg", "photos/wide1.jpg"]))
    assert [photo.name for photo in sides.learned] == ["wide0.jpg", "wide1.jpg"]
    assert [photo.name for photo in sides.held_out] == ["wide2.jpg", "phone.jpg"]
    assert sides.known
    assert photos_to_ask(sides, card_with_sources(), seen_too=False) == sides.held_out
    assert len(photos_to_ask(sides, card_with_sources(), seen_too=True)) == 4


@pytest.mark.parametrize("sources", [None, "wide0.jpg", [], 7])
def test_a_card_without_a_list_may_have_seen_everything(prepared: PreparedPhotos, sources: object) -> None:
    card = replace(card_with_sources(), training={"sources": sources})
    sides = part_photos(prepared.photos, card)
    assert not sides.known
    assert len(sides.learned) == 4
    with pytest.raises(GPSDreamError, match="does not list"):
        photos_to_ask(sides, card, seen_too=False)


def test_photos_outside_the_box_are_counted(prepared: PreparedPhotos) -> None:
    away = replace(prepared.photos[0], lat=10.0)
    assert part_photos([away, *prepared.photos], card_with_sources([])).outside == 1
    with pytest.raises(GPSDreamError, match="None of the 1 photos"):
        part_photos([away], card_with_sources([]))


def test_crops_stand_half_over_the_next_and_move_with_their_place(prepared: PreparedPhotos) -> None:
    crops = standing_crops(prepared, prepared.photos, 16)
    assert Counter(source for source, _ in crops) == {"wide0.jpg": 7, "wide1.jpg": 7, "wide2.jpg": 7, "phone.jpg": 1}
    lats = [crop.lat for source, crop in crops if source == "wide0.jpg"]
    assert np.allclose(np.diff(lats) * 111_035, 120 * 0.75 / 6, atol=0.1)
    assert all(crop.pixels.shape == (16, 16, 3) for _, crop in crops)


def test_all_photographs_are_asked_about_equally_often(prepared: PreparedPhotos) -> None:
    asked = ask(prepared, prepared.photos, 16, 12)
    assert Counter(one.question.source for one in asked) == {"wide0.jpg": 4, "wide1.jpg": 4, "wide2.jpg": 4}
    assert len({one.seed for one in asked}) == 12
    assert all(one.question.prompt for one in asked)
    kinds = Counter(one.kind for one in asked)
    assert kinds["caption"] > kinds["tags"] > 0
    assert all(2 <= len(one.question.prompt.split(", ")) <= 3 for one in asked if one.kind == "tags")


def test_questions_depend_on_the_seed_alone(prepared: PreparedPhotos) -> None:
    first, again, other = (
        [one.question for one in ask(prepared, prepared.photos, 16, 10, seed=seed)] for seed in (3, 3, 4)
    )
    assert first == again != other


def test_no_question_is_asked_twice(prepared: PreparedPhotos) -> None:
    asked = ask(prepared, prepared.photos, 16, 1000)
    assert len({one.question for one in asked}) == len(asked)
    assert 21 < len(asked) <= 42


def test_photos_without_words_ask_without_words(prepared: PreparedPhotos) -> None:
    (only,) = ask(prepared, prepared.photos[3:], 16, 5)
    assert (only.question.prompt, only.kind) == ("", "none")


def test_of_many_photos_some_are_kept_with_their_neighbours() -> None:
    photos = [TrainingPhoto(f"{number}.jpg", 40.74 + 0.0001 * number, -73.99) for number in range(200)]
    asked = photos[::10]
    kept = sample(photos, asked, 30, 0)
    assert kept == sorted(set(kept)) == sample(photos, asked, 30, 0) != sample(photos, asked, 30, 1)
    assert len(kept) == 30
    own = [number for number in kept if number % 10 == 0]
    assert len(own) >= 7
    assert sum(number + 1 in kept and max(number - 1, 1) in kept for number in own) >= 7
    assert sample(photos, asked, 200, 0) == list(range(200))
    assert len(sample(photos, photos, 30, 0)) == 30
