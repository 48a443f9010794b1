from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gpsdream_app.domain.averages import PatchesRequest, PhotoAt
from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.regions import Region, RegionKind
from gpsdream_app.evaluation import explaining, patches
from gpsdream_app.evaluation.explaining import ExplainingPainter
from gpsdream_app.evaluation.patches import overlap
from gpsdream_app.evaluation.typicality import NoiseSettings, Typicality
from gpsdream_app.generation.draw import DrawingCancelled
from tests.tiny_model import tiny_card, tiny_pipeline

REGION = Region("Here", RegionKind.DRAWN, ((((40.74, -73.99), (40.75, -73.99), (40.75, -73.98)),),))


@pytest.fixture(scope="module")
def painter() -> ExplainingPainter:
    return ExplainingPainter(tiny_pipeline(), tiny_card())


@pytest.fixture
def photos(tmp_path: Path) -> tuple[PhotoAt, ...]:
    """Five photos, one of them wide, one tall, one turned by its EXIF."""
    random = np.random.default_rng(0)
    made = []
    for number, size in enumerate([(96, 64), (200, 64), (64, 64), (64, 150), (64, 96)]):
        image = Image.fromarray(random.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8))
        exif = Image.Exif()
        exif[0x0112] = 6 if number == 4 else 1
        exif[0x010E] = "private words"
        path = tmp_path / f"photo{number}.jpg"
        image.save(path, exif=exif, quality=95)
        made.append(PhotoAt(str(path), Place(40.745 + 0.001 * number, -73.985, 118.0)))
    return tuple(made)


def test_patches_are_cut_out_most_typical_first(
    painter: ExplainingPainter, photos: tuple[PhotoAt, ...], tmp_path: Path
) -> None:
    steps = []
    request = PatchesRequest(REGION, photos, count=6, seed=3)
    told = painter.patches(request, folder=tmp_path / "cut", on_step=lambda *step: steps.append(step))
    assert told.photos_looked_at == 5
    assert steps == [(number + 1, 5, number, None) for number in range(5)]
    assert 0 < len(told.patches) <= 6
    values = [patch.typicality for patch in told.patches]
    assert values == sorted(values, reverse=True)
    assert min(values) > 0
    for patch in told.patches:
        left, top, right, bottom = patch.box
        assert 0 <= left < right <= 1 and 0 <= top < bottom <= 1
        with Image.open(patch.picture) as cut, Image.open(patch.photo) as photo:
            assert cut.format == "JPEG"
            assert not cut.getexif()
            # The photo that lies on its side is cut as it is seen.
            width, height = photo.size if "photo4" not in patch.photo else photo.size[::-1]
            assert abs(cut.width - (right - left) * width) <= 1
            assert abs(cut.height - (bottom - top) * height) <= 1
            assert abs(cut.width - cut.height) <= 1
        same = [other for other in told.patches if other.photo == patch.photo and other != patch]
        assert len(same) < 2
        assert all(overlap(patch.box, other.box) <= 0.1 for other in same)
        assert patch.place.lat == next(photo.place.lat for photo in photos if photo.path == patch.photo)
    assert sorted(path.name for path in (tmp_path / "cut").iterdir()) == sorted(
        Path(patch.picture).name for patch in told.patches
    )
    again = painter.patches(request, folder=tmp_path / "cut")
    assert again == told


def test_the_typical_corner_of_a_photo_is_found(
    painter: ExplainingPainter, photos: tuple[PhotoAt, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What the model would say: the lower right quarter of the wide photo's last crop is typical, and nothing else.
    seen: list[Place] = []

    def measured(_: object, picture: object, prompt: str, place: Place, settings: NoiseSettings) -> Typicality:
        seen.append(place)
        values = np.full((8, 8), -1.0)
        if len(seen) == 3:
            values[5:, 5:] = 2.0
        return Typicality(0.0, 0.0, values)

    monkeypatch.setattr(patches, "typicality", measured)
    told = painter.patches(PatchesRequest(REGION, photos[1:2], count=5), folder=tmp_path / "cut")
    assert seen == [photos[1].place] * 3
    [patch] = told.patches
    assert patch.typicality == pytest.approx(2.0)
    # The crop is 64 of 200 pixels wide; the patch is three of its eight cells.
    assert patch.box == pytest.approx((1 - 0.32 * 3 / 8, 5 / 8, 1.0, 1.0), abs=0.01)


def test_the_picture_proper_is_what_is_looked_at(photos: tuple[PhotoAt, ...], tmp_path: Path) -> None:
    card = replace(tiny_card(), choices={"data": {"picture_area": [0.1, 0.25, 0.9, 0.75]}})
    told = ExplainingPainter(tiny_pipeline(), card).patches(
        PatchesRequest(REGION, photos, count=10), folder=tmp_path / "cut"
    )
    assert told.patches
    for patch in told.patches:
        left, top, right, bottom = patch.box
        assert left >= 0.09 and top >= 0.24 and right <= 0.91 and bottom <= 0.76


def test_only_a_sample_of_many_photos_is_looked_at(
    painter: ExplainingPainter, photos: tuple[PhotoAt, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explaining, "PHOTOS_OF_PATCHES", 2)
    looked = [
        {
            patch.photo
            for patch in painter.patches(PatchesRequest(REGION, photos, seed=seed), folder=tmp_path / str(seed)).patches
        }
        for seed in range(4)
    ]
    assert all(len(one) <= 2 for one in looked)
    assert len(set().union(*looked)) > 2


def test_photos_that_cannot_be_read_are_passed_over(
    painter: ExplainingPainter, photos: tuple[PhotoAt, ...], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    gone = PhotoAt("/nowhere/gone.jpg", photos[0].place)
    told = painter.patches(
        PatchesRequest(REGION, (PhotoAt(str(broken), photos[0].place), gone, photos[2])), folder=tmp_path / "cut"
    )
    assert told.photos_looked_at == 1
    with pytest.raises(GPSDreamError, match="None of the 1 photos") as caught:
        painter.patches(PatchesRequest(REGION, (gone,)), folder=tmp_path / "none")
    assert caught.value.failure.kind is ErrorKind.BAD_PHOTO
    assert not (tmp_path / "none").exists()


def test_looking_for_patches_is_cancelled_between_photos(
    painter: ExplainingPainter, photos: tuple[PhotoAt, ...], tmp_path: Path
) -> None:
    steps = []
    with pytest.raises(DrawingCancelled):
        painter.patches(
            PatchesRequest(REGION, photos),
            folder=tmp_path / "cut",
            on_step=lambda *step: steps.append(step),
            cancelled=lambda: len(steps) >= 2,
        )
    assert len(steps) == 2
    assert not (tmp_path / "cut").exists()
