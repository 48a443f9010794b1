from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
import torch
from PIL import Image

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.places import Box
from gpsdream_app.geo.frames import LocalFrame, distance
from gpsdream_app.photos.catalogue import Catalogue
from gpsdream_app.photos.prepared import PIXELS_FILE, PreparedPhotos, TrainingPhoto, View, crop_photo, fixed_crops
from gpsdream_app.training.batches import CropSampler, compose_prompt
from gpsdream_app.training.config import DataConfig
from gpsdream_app.training.prepare import check_box, check_disk, coverage_of, photos_of, prepare
from tests.unit.photos.pictures import exif, gps, scene


@pytest.fixture(scope="module")
def prepared(street: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedPhotos:
    out = tmp_path_factory.mktemp("prepared")
    with Catalogue(out / "photos.sqlite") as catalogue:
        records = photos_of(street, catalogue)
    return prepare(records, out / "prepared", DataConfig(stored_side=48, validation_share=0.25), seed=0)


def test_every_photo_is_there_with_its_words(prepared: PreparedPhotos) -> None:
    assert [photo.name for photo in prepared.photos] == [f"view{number:02d}.png" for number in range(12)]
    assert all(photo.channels == 1 and photo.height == 48 and photo.width == 144 for photo in prepared.photos)
    assert prepared.photos[3].views[0].caption == "A house number 3"
    assert prepared.photos[2].views[0].tags == ("tree", "lamp")
    assert len(prepared.part(validation=True)) == 3
    again = PreparedPhotos.open(prepared.folder)
    assert again.photos == prepared.photos


def test_the_place_moves_with_the_crop(prepared: PreparedPhotos) -> None:
    photo = prepared.photos[5]
    frame = LocalFrame(photo.lat, photo.lon)
    for across, metres in ((0.0, -33.333), (0.5, 0.0), (1.0, 33.333)):
        # A square of 48 pixels in 144: the outermost centres lie a third of the width from the middle.
        crop = crop_photo(prepared, photo, 32, across, 0.5, 1.0)
        east, north = frame.to_metres(crop.lat, crop.lon)
        assert north == pytest.approx(metres, abs=0.01)
        assert east == pytest.approx(0.3 * metres, abs=0.01)
    dark = crop_photo(prepared, photo, 32, 0.0, 0.5, 1.0).pixels.mean()
    bright = crop_photo(prepared, photo, 32, 1.0, 0.5, 1.0).pixels.mean()
    assert bright > 1.3 * dark


def test_words_belong_to_their_part_of_the_photo(prepared: PreparedPhotos) -> None:
    photo = prepared.photos[5]
    assert crop_photo(prepared, photo, 32, 0.5, 0.5, 1.0).view is not None
    assert crop_photo(prepared, photo, 32, 0.0, 0.5, 1.0).view is None


def test_batches_are_a_function_of_seed_and_step(prepared: PreparedPhotos) -> None:
    def sampler(seed: int) -> CropSampler:
        photos = prepared.part(validation=False)
        return CropSampler(prepared, photos, 32, place_jitter_metres=5.0, heading_jitter_degrees=5.0, seed=seed)

    first, again = sampler(0).batch(7, 8), sampler(0).batch(7, 8)
    assert first.prompts == again.prompts
    for name in ("pictures", "lat", "lon", "heading"):
        assert np.array_equal(getattr(first, name), getattr(again, name), equal_nan=True)
    for other in (sampler(0).batch(8, 8), sampler(1).batch(7, 8)):
        assert not np.array_equal(first.pictures, other.pictures)
    assert first.pictures.shape == (8, 3, 32, 32)
    assert first.pictures.abs().max() <= 1


def test_jitter_has_the_size_that_was_asked_for(prepared: PreparedPhotos) -> None:
    photos = [prepared.photos[5]]
    sharp = CropSampler(prepared, photos, 32, seed=1)
    noisy = CropSampler(prepared, photos, 32, place_jitter_metres=5.0, seed=1)
    offsets = []
    for step in range(8):
        a, b = sharp.batch(step, 32), noisy.batch(step, 32)
        offsets += [distance(*pair) for pair in zip(*(t.tolist() for t in (a.lat, a.lon, b.lat, b.lon)), strict=True)]
    # Median of the length of a vector of two independent Student's t of 3 degrees, found by simulation.
    drawn = np.hypot(*np.random.default_rng(0).standard_t(3, (2, 100_000)))
    assert np.median(offsets) == pytest.approx(5.0 * np.median(drawn), rel=0.15)


def test_depth_jitter_is_along_the_view(prepared: PreparedPhotos) -> None:
    photo = replace(prepared.photos[5], heading=90.0)
    still = CropSampler(prepared, [photo], 32, seed=1)
    noisy = CropSampler(prepared, [photo], 32, place_jitter_metres=0.0, depth_jitter_metres=5.0, seed=1)
    a, b = still.batch(0, 16), noisy.batch(0, 16)
    assert torch.allclose(a.lat, b.lat, atol=1e-9)
    assert (a.lon - b.lon).abs().min() > 0


def test_prompts_come_from_captions_and_tags() -> None:
    random = np.random.default_rng(0)
    view = View(0.5, "A house", ("tree", "lamp"))
    prompts = {compose_prompt(view, random) for _ in range(200)}
    assert prompts == {"A house", "tree", "lamp", "tree, lamp", "lamp, tree"}
    assert compose_prompt(None, random) == ""
    assert compose_prompt(View(0.5), random) == ""


def test_fixed_crops_tile_the_photo(prepared: PreparedPhotos) -> None:
    crops = list(fixed_crops(prepared, prepared.photos[:2], 32))
    assert len(crops) == 6


def test_box_and_coverage_hold_every_place(prepared: PreparedPhotos) -> None:
    box = prepared.box(150.0)
    coverage = coverage_of(prepared, prepared.part(validation=False), 60.0)
    for photo in prepared.part(validation=False):
        assert box.contains(photo.lat, photo.lon)
        assert coverage.distance(photo.lat, photo.lon) == 0
    assert sum(count for _, _, count in coverage.cells) >= 9
    assert coverage.distance(photo.lat + 0.1, photo.lon) == pytest.approx(11_000, rel=0.1)


def test_too_few_photos_is_a_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "few"
    folder.mkdir()
    Image.new("RGB", (64, 64)).save(folder / "a.jpg")
    with Catalogue(tmp_path / "photos.sqlite") as catalogue, pytest.raises(GPSDreamError, match="0 photos") as caught:
        photos_of(folder, catalogue)
    assert caught.value.failure.kind is ErrorKind.BAD_PHOTO
    assert "no gps" in caught.value.failure.details


def test_a_box_larger_than_a_city_is_a_sentence() -> None:
    check_box(Box(40.68, -74.03, 40.88, -73.90))
    with pytest.raises(GPSDreamError, match="more than one city"):
        check_box(Box(40.0, -74.0, 49.0, 2.0))


def test_a_small_disk_is_a_sentence(tmp_path: Path) -> None:
    check_disk(tmp_path / "not" / "yet", 1)
    with pytest.raises(GPSDreamError, match="are free") as caught:
        check_disk(tmp_path, 10**18)
    assert caught.value.failure.kind is ErrorKind.DISK_FULL


def test_a_cut_prepared_folder_is_a_sentence(prepared: PreparedPhotos, tmp_path: Path) -> None:
    for file in prepared.folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    pixels = tmp_path / PIXELS_FILE
    pixels.write_bytes(pixels.read_bytes()[:-1])
    with pytest.raises(GPSDreamError, match="cannot be read"):
        PreparedPhotos.open(tmp_path)


def place_exif(lat: float, lon: float) -> bytes:
    return exif(gps(lat, lon)).tobytes()


def test_photos_of_phones_are_learned_too(tmp_path: Path) -> None:
    folder = tmp_path / "phone"
    folder.mkdir()
    for number in range(8):
        data = place_exif(40.74 + number / 1000, -73.99)
        pillow_heif.from_pillow(scene(number)).save(folder / f"{number}.heic", exif=data)
    with Catalogue(tmp_path / "photos.sqlite") as catalogue:
        records = photos_of(folder, catalogue)
    whole = prepare(records, tmp_path / "prepared", DataConfig(stored_side=32), seed=0)
    assert len(whole.photos) == 8
    assert whole.about["left_out"] == []


def test_photos_of_two_cities_leave_nothing_that_would_be_used_again(tmp_path: Path) -> None:
    folder = tmp_path / "two"
    folder.mkdir()
    for number in range(8):
        lat = 40.74 + number / 1000 if number else 48.85
        scene(number).save(folder / f"{number}.jpg", exif=place_exif(lat, -73.99))
    with Catalogue(tmp_path / "photos.sqlite") as catalogue:
        records = photos_of(folder, catalogue)
    with pytest.raises(GPSDreamError, match="more than one city"):
        prepare(records, tmp_path / "prepared", DataConfig(stored_side=32), seed=0)
    assert not (tmp_path / "prepared").exists()


def test_an_import_that_was_stopped_is_not_taken_for_too_few_photos(street: Path, tmp_path: Path) -> None:
    with Catalogue(tmp_path / "photos.sqlite") as catalogue:
        assert len(photos_of(street, catalogue, lambda: True)) < 8


def test_synonyms_stand_in_for_tags_now_and_then() -> None:
    view = View(0.5, "", ("pedestrian", "church"))
    random = np.random.default_rng(0)
    seen = {compose_prompt(view, random, None, {"pedestrian": ["people", "person"]}) for _ in range(200)}
    words = {word for prompt in seen for word in prompt.split(", ")}
    assert words == {"pedestrian", "people", "person", "church"}


def test_rare_tags_are_named_more_often_than_their_share() -> None:
    view = View(0.5, "", ("sign", "church"))
    random = np.random.default_rng(0)
    prompts = [compose_prompt(view, random, {"sign": 100, "church": 1}) for _ in range(400)]
    alone = [prompt for prompt in prompts if ", " not in prompt]
    assert alone.count("church") > 3 * alone.count("sign") > 0


def test_crops_chosen_by_words_show_every_word_alike(prepared: PreparedPhotos) -> None:
    def tagged(photo: TrainingPhoto, *tags: str) -> TrainingPhoto:
        return replace(photo, views=(View(0.5, "A house", tags),))

    # Nine photos with a tree, three with a lamp, and a word that only one photo has.
    photos = [tagged(photo, "tree") for photo in prepared.photos[:9]]
    photos += [tagged(photo, "lamp") for photo in prepared.photos[9:11]]
    photos.append(tagged(prepared.photos[11], "lamp", "dragon"))
    plain = CropSampler(prepared, photos, 32, seed=1)
    by_word = CropSampler(prepared, photos, 32, word_share=1.0, seed=1)

    def prompts(sampler: CropSampler) -> list[str]:
        return [prompt for step in range(20) for prompt in sampler.batch(step, 16).prompts]

    usual, chosen = prompts(plain), prompts(by_word)
    assert usual.count("lamp") < 0.6 * usual.count("tree")
    assert chosen.count("lamp") == pytest.approx(chosen.count("tree"), rel=0.25)
    assert chosen.count("dragon") < 0.05 * len(chosen)
    # The crop lies where its words were seen, so hardly one is without them.
    assert usual.count("") > 0.2 * len(usual)
    assert chosen.count("") < 0.02 * len(chosen)
