from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.places import Place
from gpsdream_app.evaluation.probes import (
    SidePhotos,
    WordProbe,
    area_under_curve,
    average_precision,
    both_sides,
    found_in_photos,
    nearest_side,
    obedience_of,
    probe_card,
    share_threshold,
    side_agreement,
    word_figures,
    word_obedience,
)
from gpsdream_app.geo.frames import LocalFrame

FRAME = LocalFrame(40.75, -73.98)


class BrightnessProbe(WordProbe):
    """Finds “light” in bright pictures and “dark” in dark ones."""

    def scores(self, pictures: torch.Tensor) -> torch.Tensor:
        light = (pictures.mean(dim=(1, 2, 3)) + 1) / 2
        return torch.stack([light, 1 - light], dim=1)


@pytest.fixture(scope="module")
def probe() -> BrightnessProbe:
    return BrightnessProbe(("light", "dark"), (("light",), ("dark", "night")), (0.6, 0.6), width=8)


def test_area_and_precision_of_known_orders() -> None:
    truth = [1, 1, 0, 0]
    assert area_under_curve([4, 3, 2, 1], truth) == 1
    assert area_under_curve([1, 2, 3, 4], truth) == 0
    assert area_under_curve([1, 1, 1, 1], truth) == 0.5
    assert area_under_curve([4, 2, 3, 1], truth) == 0.75
    assert average_precision([4, 3, 2, 1], truth) == 1
    assert average_precision([4, 2, 3, 1], truth) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision([4, 2, 3, 1], truth, [1, 1, 0, 1]) == 1


def test_figures_come_with_intervals_and_the_prevalence() -> None:
    random = np.random.default_rng(0)
    truth = (random.random((60, 3)) < 0.3).astype(float)
    truth[:, 2] = 0
    scores = np.stack([truth[:, 0] + random.normal(0, 0.4, 60), random.random(60), random.random(60)], axis=1)
    scores[:10, 1] = 0.5  # ties
    found = word_figures(("clear", "guessed", "nowhere"), scores, truth, groups=np.arange(60) // 3, resamples=100)
    assert [figure.word for figure in found] == ["clear", "guessed"]
    for index, figure in enumerate(found):
        assert figure.prevalence == pytest.approx(truth[:, index].mean())
        assert figure.area.value == pytest.approx(area_under_curve(scores[:, index], truth[:, index]))
        assert figure.precision.value == pytest.approx(average_precision(scores[:, index], truth[:, index]))
        assert figure.area.low <= figure.area.value <= figure.area.high
    assert found[0].area.low > 0.8
    assert found[1].area.low < 0.5 < found[1].area.high


def test_a_threshold_balances_precision_and_recall() -> None:
    scores, truth = np.array([0.9, 0.8, 0.7, 0.4, 0.2]), np.array([1, 0, 1, 0, 0])
    threshold = share_threshold(scores, truth)
    assert (scores >= threshold).sum() == 2
    assert share_threshold(scores, np.zeros(5)) == 1
    assert share_threshold(scores, np.ones(5)) == 0


def test_a_threshold_can_keep_only_the_surest_pictures() -> None:
    random = np.random.default_rng(0)
    truth = random.random(1000) < 0.4
    scores = truth + random.normal(size=1000)
    sure, balanced = (scores >= share_threshold(scores, truth, share) for share in (0.25, 1.0))
    assert sure.sum() == round(0.25 * truth.sum())
    assert truth[sure].mean() > truth[balanced].mean() + 0.1
    assert share_threshold(scores, truth, 1e-6) < scores.max()  # at least one picture counts


def test_a_saved_probe_is_the_same_when_it_is_opened(tmp_path: Path) -> None:
    torch.manual_seed(0)
    probe = WordProbe(("tree", "people"), (("tree",), ("pedestrian", "crowd")), (0.4, 0.7), width=8).eval()
    probe.save_pretrained(tmp_path / "probe")
    again = WordProbe.open(tmp_path / "probe")
    pictures = torch.rand(3, 3, 40, 60) * 2 - 1
    assert torch.equal(probe.scores(pictures), again.scores(pictures))
    assert again.words == ("tree", "people")
    assert torch.equal(again.found(pictures), again.scores(pictures) >= torch.tensor([0.4, 0.7]))
    assert again.truth(("crowd", "shop")) == [0.0, 1.0]
    assert probe_card(tmp_path / "probe") == {}


def test_what_is_no_probe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GPSDreamError) as missing:
        WordProbe.open(tmp_path / "nowhere")
    assert missing.value.failure.kind is ErrorKind.MODEL_MISSING
    WordProbe(("tree",), (("tree",),), (), width=8).save_pretrained(tmp_path)
    with pytest.raises(GPSDreamError) as corrupt:
        WordProbe.open(tmp_path)
    assert "thresholds" in corrupt.value.failure.details


def test_obedience_pairs_pictures_with_their_twins(probe: WordProbe) -> None:
    """A painter that obeys “light” always, and draws light pictures of every fifth place without being asked."""
    asked: list[tuple[str, float, int]] = []

    def draw(prompts: Sequence[str], places: Sequence[Place], seeds: Sequence[int]) -> torch.Tensor:
        asked.extend(zip(prompts, [place.lat for place in places], seeds, strict=True))
        bright = [
            prompt == "light" or (prompt == "" and seed % 5 == 0) for prompt, seed in zip(prompts, seeds, strict=True)
        ]
        return torch.where(torch.tensor(bright), 0.8, -0.1)[:, None, None, None].expand(-1, 3, 8, 8)

    places = [Place(40.75 + 0.001 * number, -73.98) for number in range(20)]
    told: list[tuple[int, int]] = []
    light, dark = word_obedience(
        draw,
        probe,
        ("light", "unheard of", "dark"),
        places,
        prompts={"dark": "night"},
        batch=8,
        report=lambda done, total, _: told.append((done, total)),
    )
    assert (light.word, light.asked.value, light.not_asked.value) == ("light", 1.0, 0.2)
    assert light.ratio.value == pytest.approx(20.5 / 4.5)
    assert light.ratio.low < light.ratio.value < light.ratio.high
    assert (dark.asked.value, dark.not_asked.value, dark.ratio.value) == (0.0, 0.0, 1.0)
    assert {prompt for prompt, _, _ in asked} == {"", "light", "night"}
    twins = [[item[1:] for item in asked if item[0] == prompt] for prompt in ("", "light")]
    assert twins[0] == twins[1]
    assert told[-1] == (60, 60)


def test_photographs_reach_only_what_the_word_is_rare_for(probe: WordProbe) -> None:
    """Eight photographs of which two are light; the probe finds light where it is."""
    light = torch.tensor([True, True, *[False] * 6])
    pictures = torch.where(light, 0.8, -0.8)[:, None, None, None].expand(-1, 3, 8, 8)
    tags = [("light",) if one else ("dark",) for one in light]
    found = found_in_photos(probe, pictures, tags, groups=range(8), batch=3)
    assert found["light"].value == pytest.approx((2.5 / 2.5) / (2.5 / 8))
    assert found["dark"].value == pytest.approx((6.5 / 6.5) / (6.5 / 8))
    assert found["light"].low <= found["light"].value <= found["light"].high
    assert "light" not in found_in_photos(probe, pictures, [("dark",)] * 8, groups=range(8))


def test_words_can_take_turns_over_the_places(probe: WordProbe) -> None:
    drawn: dict[str, list[int]] = {}

    def draw(prompts: Sequence[str], places: Sequence[Place], seeds: Sequence[int]) -> torch.Tensor:
        for prompt, seed in zip(prompts, seeds, strict=True):
            drawn.setdefault(prompt, []).append(seed)
        return torch.zeros(len(prompts), 3, 8, 8)

    places = [Place(40.75, -73.98)] * 6
    results = word_obedience(draw, probe, probe.words, places, per_word=3, batch=4)
    assert drawn == {"": [0, 1, 2, 3, 4, 5], "light": [0, 1, 2], "dark": [3, 4, 5]}
    assert [figure.asked.count for figure in results] == [3, 3]
    assert word_obedience(draw, probe, ("unheard of",), places) == []


def test_a_word_that_is_never_found_has_a_finite_ratio() -> None:
    figure = obedience_of("tree", np.ones(10), np.zeros(10))
    assert figure.ratio.value == 21
    assert np.isfinite(figure.ratio.high)


@pytest.fixture
def photos() -> SidePhotos:
    """Crops every 50 m along a street to the north: those facing east have the feature x, those facing west y."""
    rows = [(20.0 * side, 50.0 * number, side) for number in range(20) for side in (1, -1)]
    places = [FRAME.to_degrees(east, north) for east, north, _ in rows]
    features = torch.tensor([[1.0, 0.1] if side > 0 else [0.1, 1.0] for _, _, side in rows])
    heading = np.array([90.0 if side > 0 else 270.0 for _, _, side in rows])
    return SidePhotos(features, np.array([p[0] for p in places]), np.array([p[1] for p in places]), heading)


def test_the_side_is_that_of_the_photo_that_looks_most_alike(photos: SidePhotos) -> None:
    here = FRAME.to_degrees(0.0, 500.0)
    far = FRAME.to_degrees(0.0, 5_000.0)
    places = [Place(*here, 80.0), Place(*here, 260.0), Place(*far, 90.0), Place(*here)]
    agreed = nearest_side(torch.tensor([[1.0, 0.0]] * 4), places, photos)
    assert agreed[0] == 1
    assert agreed[1] == 0
    assert np.isnan(agreed[2:]).all()


def test_both_sides_are_drawn_with_the_same_seed(photos: SidePhotos) -> None:
    points = [FRAME.to_degrees(0.0, north) for north in (100.0, 400.0, 700.0)]
    places = both_sides(points, photos)
    assert {place.heading for place in places} == {90.0, 270.0}
    assert len(places) == 6
    seen: list[int] = []

    def draw(prompts: Sequence[str], places: Sequence[Place], seeds: Sequence[int]) -> torch.Tensor:
        """Right but for one point, of which it draws the eastern side only."""
        seen.extend(seeds)
        east = [place.heading == 90.0 or seed == 1 for place, seed in zip(places, seeds, strict=True)]
        return torch.where(torch.tensor(east), 1.0, -1.0)[:, None, None, None].expand(-1, 3, 4, 4)

    def features(pictures: torch.Tensor) -> torch.Tensor:
        light = pictures.mean(dim=(1, 2, 3))
        return torch.stack([(light > 0).float(), (light <= 0).float()], dim=1)

    result = side_agreement(draw, features, photos, places, batch=4)
    assert seen == [0, 0, 1, 1, 2, 2]
    assert result.share.value == pytest.approx(5 / 6)
    assert len(result.places) == len(result.agreed) == 6
    with pytest.raises(ValueError, match="both sides"):
        side_agreement(draw, features, photos, [Place(41.5, -73.98, 90.0)])
