"""The parts of an evaluation: each draws what it needs and returns its figures as JSON values."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gpsdream_app.domain.model_card import ModelCard
from gpsdream_app.domain.places import Box, Place
from gpsdream_app.domain.requests import MAX_SEED
from gpsdream_app.domain.words import unknown_words
from gpsdream_app.evaluation.area import Grid, areas_until_found, mass_of_density, recall_curve
from gpsdream_app.evaluation.baselines import NearestPhotos, Question, Row, conditions_of
from gpsdream_app.evaluation.distribution import NEIGHBOURS, fidelity, frechet_interval
from gpsdream_app.evaluation.drawing import Artist, Guidance, pipeline_takes, signed
from gpsdream_app.evaluation.plan import DRAWN_ROWS, Plan
from gpsdream_app.evaluation.probes import (
    SidePhotos,
    WordProbe,
    both_sides,
    found_in_photos,
    probe_card,
    side_agreement,
    word_obedience,
)
from gpsdream_app.evaluation.questions import Asked
from gpsdream_app.evaluation.scores import PictureScores, Scorer, as_json, figures_of, ratio_of
from gpsdream_app.evaluation.statistics import Interval, bootstrap, median, paired_difference
from gpsdream_app.evaluation.typicality import NoiseSettings, location_log_density, typicality
from gpsdream_app.models.gps_clip import GPSClip
from gpsdream_app.photos.prepared import Crop, TrainingPhoto

LABELS = {
    Row.REAL_PHOTO: "the real photo (upper bound)",
    Row.NEAREST_PHOTO: "nearest training photo",
    Row.TEXT_ONLY: "words only",
    Row.TEXT_AND_ADDRESS: "words + address",
    Row.OURS: "this model: words + place",
    Row.OURS_WITHOUT_TEXT: "this model: place only",
    Row.OURS_WITHOUT_HEADING: "this model, without heading",
    Row.ADDRESS_ONLY: "address only",
}
# What the table shows first; the others are ablations.
MAIN_ROWS = (
    Row.REAL_PHOTO,
    Row.NEAREST_PHOTO,
    Row.TEXT_ONLY,
    Row.TEXT_AND_ADDRESS,
    Row.OURS,
    Row.OURS_WITHOUT_TEXT,
)
OTHER_METRES = 500.0
LOSS_CELL_METRES, LOSS_FACTOR = 100.0, 1_000.0


def picture_of(pixels: np.ndarray) -> torch.Tensor:
    """(side, side, 3) uint8 pixels as one of the tensors that an artist draws, (3, side, side)."""
    return torch.from_numpy(np.array(pixels)).permute(2, 0, 1)


@dataclass(frozen=True)
class Answers:
    """The pictures of all rows, and their scores.

    Attributes:
        asked: the questions.
        pictures: by row, (questions, 3, side, side), uint8.
        scores: by row.
    """

    asked: list[Asked]
    pictures: dict[Row, torch.Tensor]
    scores: dict[Row, PictureScores]

    @property
    def questions(self) -> list[Question]:
        """The questions themselves."""
        return [one.question for one in self.asked]

    @property
    def groups(self) -> list[str]:
        """The source photograph of each question."""
        return [one.question.source for one in self.asked]


def answer(
    artist: Artist,
    scorer: Scorer,
    asked: list[Asked],
    crops: Sequence[tuple[str, Crop]],
    address: Callable[[Place], str] | None,
) -> Answers:
    """Have every row answer every question.

    Args:
        artist: draws.
        scorer: judges.
        asked: the questions.
        crops: of photos that the model has learned from, for the nearest one; may be empty.
        address: of a place; None where there is no map of the city.
    """
    questions = [one.question for one in asked]
    worded = all(question.prompt for question in questions)
    pictures = {Row.REAL_PHOTO: torch.stack([picture_of(one.pixels) for one in asked])}
    # Of a photo that is asked about its own crops do not count; one photograph cannot be all there is.
    if crops and all(any(source != question.source for source, _ in crops) for question in questions):
        nearest = NearestPhotos(
            [crop.lat for _, crop in crops],
            [crop.lon for _, crop in crops],
            [math.nan if crop.heading is None else crop.heading for _, crop in crops],
            [source for source, _ in crops],
        )
        found = [nearest.find(question.place, leave_out=question.source)[0] for question in questions]
        pictures[Row.NEAREST_PHOTO] = torch.stack([picture_of(crops[index][1].pixels) for index in found])
    for row in DRAWN_ROWS:
        needs_words = row in (Row.TEXT_ONLY, Row.TEXT_AND_ADDRESS, Row.OURS, Row.OURS_WITHOUT_HEADING)
        needs_address = row in (Row.TEXT_AND_ADDRESS, Row.ADDRESS_ONLY)
        headings = any(question.place.heading is not None for question in questions)
        if (
            (needs_words and not worded)
            or (needs_address and address is None)
            or (row is Row.OURS_WITHOUT_HEADING and not (artist.painter.card.has_heading and headings))
        ):
            continue
        artist.progress.stage(f"drawing: {LABELS[row]}")
        given = [conditions_of(row, question, address or (lambda place: "")) for question in questions]
        pictures[row] = artist.draw(
            [prompt for prompt, _ in given], [place for _, place in given], [one.seed for one in asked]
        )
    scores = {row: scorer.score(drawn, questions) for row, drawn in pictures.items()}
    return Answers(asked, pictures, scores)


def table_rows(answers: Answers) -> list[dict[str, Any]]:
    """The rows of the table, with an interval for every figure."""
    order = [*MAIN_ROWS, *(row for row in DRAWN_ROWS if row not in MAIN_ROWS)]
    rows = []
    for row in order:
        if row in answers.scores:
            figures = figures_of(answers.scores[row], answers.groups)
            names = ("clip", "gps", "average", "median_area", "gps_heading")
            rows.append(
                {
                    "row": str(row),
                    "label": LABELS[row],
                    "ablation": row not in MAIN_ROWS,
                    **{name: as_json(figures.get(name)) for name in names},
                }
            )
    return rows


def findings(answers: Answers) -> list[dict[str, Any]]:
    """What the table says, as sentences with the paired figures that they rest on."""
    scores, groups = answers.scores, answers.groups
    found: list[dict[str, Any]] = []

    def add(name: str, interval: Interval, text: str) -> None:
        # A true minus sign, and no break before the per cent sign.
        text = re.sub(r"(?<![\w-])-(?=\d)", "−", text).replace(" %", "\u00a0%")
        found.append({"name": name, **(as_json(interval) or {}), "text": text})

    def percent(interval: Interval) -> str:
        return f"{100 * interval.value:.0f} % ({100 * interval.low:.0f} to {100 * interval.high:.0f})"

    ours, alone = scores.get(Row.OURS), scores.get(Row.OURS_WITHOUT_TEXT)
    nearest, text = scores.get(Row.NEAREST_PHOTO), scores.get(Row.TEXT_ONLY)
    address = scores.get(Row.TEXT_AND_ADDRESS)
    if alone is not None and nearest is not None and alone.gps is not None and nearest.gps is not None:
        gain = paired_difference(alone.gps, nearest.gps, groups=groups)
        side = "higher" if gain.value >= 0 else "lower"
        sure = "" if gain.low > 0 or gain.high < 0 else "; the interval holds zero, so this may be chance"
        add(
            "gps_without_text_above_nearest",
            gain,
            f"Drawn from the place alone, a picture’s GPS score is {abs(gain.value):.1f} {side} than that of the "
            f"nearest training photo ({gain.low:+.1f} to {gain.high:+.1f}{sure}).",
        )
    if ours is not None and alone is not None and ours.gps is not None and alone.gps is not None:
        kept = ratio_of(ours.gps, alone.gps, groups)
        if kept is not None:
            add(
                "gps_kept_with_text",
                kept,
                f"With words it keeps {percent(kept)} of the GPS score that it has without.",
            )
    if ours is not None and text is not None and ours.clip is not None and text.clip is not None:
        kept = ratio_of(ours.clip, text.clip, groups)
        if kept is not None:
            add(
                "clip_kept_with_place",
                kept,
                f"With a place it keeps {percent(kept)} of the CLIP score that words alone reach.",
            )
    if ours is not None and address is not None and ours.areas is not None and address.areas is not None:
        share = ratio_of(ours.areas, address.areas, groups, medians=True)
        if share is not None:
            add(
                "area_against_address",
                share,
                f"The area to which its pictures pin their place down is {percent(share)} of that of words with an "
                "address (medians).",
            )
    averages = {row: one.average for row, one in scores.items() if row is not Row.REAL_PHOTO}
    means = {row: float(values.mean()) for row, values in averages.items() if values is not None}
    if means and ours is not None and ours.average is not None:
        best = max(means, key=lambda row: means[row])
        rival = max((row for row in means if row is not Row.OURS), key=lambda row: means[row], default=None)
        if rival is not None:
            other = averages[rival]
            assert other is not None
            gain = paired_difference(ours.average, other, groups=groups)
            add(
                "average_above_best_other",
                gain,
                f"The best average of all rows but the real photo has “{LABELS[best]}”; this model with words and "
                f"place lies {gain.value:+.2f} ({gain.low:+.2f} to {gain.high:+.2f}) from the best other row.",
            )
    return found


def neighbourhood_findings(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the probe of neighbourhoods says, as a sentence with the paired figure that it rests on."""
    if not found:
        return []
    shares = {row["row"]: 100 * row["share"]["value"] for row in found["rows"]}
    gain = found["above_address"]
    low, high = (f"{100 * gain[end]:+.0f}".replace("-", "−") for end in ("low", "high"))
    text = (
        f"A probe of real photos finds the right one of {len(found['names'])} neighbourhoods for "
        f"{shares[str(Row.OURS)]:.0f}\u00a0% of single pictures drawn from words and place, and for "
        f"{shares[str(Row.TEXT_AND_ADDRESS)]:.0f}\u00a0% of those from words and address (difference {low} to {high} "
        f"points; chance is {100 * found['chance']:.0f}\u00a0%)."
    )
    return [{"name": "neighbourhoods_above_address", **gain, "text": text}]


def recall_by_row(answers: Answers) -> dict[str, Any]:
    """Recall-vs-Area curves, row by row; on the same areas, so that they can be laid over each other."""
    areas = {row: one.areas for row, one in answers.scores.items() if one.areas is not None}
    if not areas:
        return {}
    every = np.concatenate(list(areas.values()))
    finite = every[np.isfinite(every) & (every > 0)]
    if not len(finite):
        return {}
    points = np.geomspace(finite.min(), max(finite.max(), finite.min() * 1.01), 60)
    # Rounding in the logarithm must not lose the first and the last picture.
    points[0], points[-1] = finite.min(), max(finite.max(), finite.min() * 1.01)
    curves: dict[str, Any] = {}
    for row, values in areas.items():
        curve = recall_curve(values, points, groups=answers.groups)
        curves[str(row)] = {
            "areas_km2": [round(float(value), 6) for value in curve.areas],
            **{name: [round(float(value), 4) for value in getattr(curve, name)] for name in ("recall", "low", "high")},
        }
    return curves


def quality(answers: Answers, scorer: Scorer) -> dict[str, Any]:
    """Precision, recall, density, coverage and Fréchet distance of every row against the held-out photos.

    Empty without a judge whose features they are measured on, or with too few pictures.
    """
    # Each real crop once, however many questions were asked about it.
    unique: dict[tuple[str, float, float], int] = {}
    for index, one in enumerate(answers.asked):
        unique.setdefault((one.question.source, one.question.place.lat, one.question.place.lon), index)
    real = scorer.features(answers.pictures[Row.REAL_PHOTO][list(unique.values())])
    if real is None or min(len(real), len(answers.asked)) <= NEIGHBOURS:
        return {}
    real_groups = [source for source, _, _ in unique]
    rows: dict[str, Any] = {}
    for row, scores in answers.scores.items():
        if row is Row.REAL_PHOTO or scores.features is None:
            continue
        drawn_groups = answers.groups
        figures = fidelity(real, scores.features).intervals(real_groups=real_groups, drawn_groups=drawn_groups)
        figures["frechet"] = frechet_interval(real, scores.features, real_groups=real_groups, drawn_groups=drawn_groups)
        rows[str(row)] = {name: as_json(figure) for name, figure in figures.items()}
    own = rows.get(str(Row.OURS)) or rows.get(str(Row.OURS_WITHOUT_TEXT)) or {}
    return {**own, "neighbours": NEIGHBOURS, "real_pictures": len(real), "rows": rows}


def random_places(photos: Sequence[TrainingPhoto], count: int, seed: int) -> list[Place]:
    """Places along the fronts of photos, drawn at random; wide photos come up more often."""
    random = np.random.default_rng((seed, 1))
    weights = np.array([max(1.0, photo.width / max(1, photo.height)) for photo in photos])
    places = []
    for index in random.choice(len(photos), size=count, p=weights / weights.sum()):
        photo = photos[index]
        lat, lon = photo.place_at(float(random.random()))
        places.append(Place(lat, lon, photo.heading))
    return places


# -- guidance --


def _measured(scores: PictureScores) -> dict[str, float]:
    named = {"clip": scores.clip, "gps": scores.gps, "average": scores.average}
    return {name: float(values.mean()) for name, values in named.items() if values is not None}


def weights_grid(artist: Artist, scorer: Scorer, asked: Sequence[Asked], plan: Plan, own: Guidance) -> dict[str, Any]:
    """CLIP and GPS score over a grid of the two guidance weights, on the same questions and seeds.

    Args:
        artist: draws.
        scorer: judges.
        asked: the questions.
        plan: which weights there are besides the model's own.
        own: how the model guides, with as many steps as are to be taken here.
    """
    questions = [one.question for one in asked]
    texts, places = plan.weights_with(own.text), plan.weights_with(own.place)
    grids: dict[str, list[list[float]]] = {}
    for place in places:
        lines: dict[str, list[float]] = {}
        for text in texts:
            drawn = artist.draw(
                [question.prompt for question in questions],
                [question.place for question in questions],
                [one.seed for one in asked],
                replace(own, text=text, place=place),
            )
            for name, value in _measured(scorer.score(drawn, questions)).items():
                lines.setdefault(name, []).append(round(value, 4))
        for name, line in lines.items():
            grids.setdefault(name, []).append(line)
    decisive = next((name for name in ("average", "gps", "clip") if name in grids), None)
    if decisive is None:
        return {}
    row, column = np.unravel_index(int(np.argmax(grids[decisive])), (len(places), len(texts)))
    return {
        "text_guidance": list(texts),
        "place_guidance": list(places),
        **{name: grids.get(name) for name in ("clip", "gps", "average")},
        "best": {
            "by": decisive,
            "text_guidance": texts[column],
            "place_guidance": places[row],
            "value": grids[decisive][row][column],
        },
        "own": {"text_guidance": own.text, "place_guidance": own.place},
        "steps": own.steps,
        "questions": len(questions),
    }


def guidance_variants(artist: Artist, scorer: Scorer, asked: Sequence[Asked], own: Guidance) -> list[dict[str, Any]]:
    """Ways to guide at the model's own weights: Eq 4 as printed, rescaled, in an interval, in the other order.

    Args:
        artist: draws.
        scorer: judges.
        asked: the questions.
        own: how the model guides, with as many steps as are to be taken here.
    """
    plain: dict[str, Any] = {"guidance_rescale": 0.0, "guidance_interval": (0.0, 1.0)}
    if pipeline_takes(artist.painter, "guidance_order"):
        plain["guidance_order"] = "text_first"
    plain |= {name: value for name, value in own.more.items() if name not in plain}
    ways: list[tuple[str, dict[str, Any]]] = [
        ("as the model is shipped", dict(own.more)),
        ("Eq 4 as printed", plain),
        ("Eq 4, rescaled by 0.7", plain | {"guidance_rescale": 0.7}),
        ("Eq 4 in the middle of the noise only", plain | {"guidance_interval": (0.15, 0.85)}),
    ]
    if "guidance_order" in plain:
        ways.append(("the place first, then the words", plain | {"guidance_order": "place_first"}))
    questions = [one.question for one in asked]
    rows = []
    for label, more in ways:
        artist.progress.stage(f"guidance: {label}")
        drawn = artist.draw(
            [question.prompt for question in questions],
            [question.place for question in questions],
            [one.seed for one in asked],
            replace(own, more=more),
        )
        figures = figures_of(scorer.score(drawn, questions), [question.source for question in questions])
        names = ("clip", "gps", "average", "median_area")
        rows.append({"label": label, **{name: as_json(figures.get(name)) for name in names}})
    return rows


# -- typicality --


def typicality_of_places(
    artist: Artist, asked: Sequence[Asked], photos: Sequence[TrainingPhoto], plan: Plan, seed: int
) -> dict[str, Any]:
    """How much better the model predicts real photos at their own places than at others, more than 500 m away."""
    settings = NoiseSettings(draws=plan.typical_draws, seed=seed)
    candidates = random_places(photos, 200, seed + 17)
    own: list[float] = []
    other: list[float] = []
    groups: list[str] = []
    for one in _each_once(asked)[: plan.typical_photos]:
        place = one.question.place
        away = [there for there in candidates if _metres(place, there) > OTHER_METRES]
        if len(away) < plan.typical_others:
            continue
        picture = signed(picture_of(one.pixels))
        values = []
        for there in [place, *away[: plan.typical_others]]:
            values.append(typicality(artist.painter.pipeline, picture, "", there, settings).value)
            artist.progress.advance(2 * plan.typical_draws)
        # Every photo is held against other places than the last.
        candidates = candidates[plan.typical_others :] + candidates[: plan.typical_others]
        own.append(values[0])
        other.append(float(np.mean(values[1:])))
        groups.append(one.question.source)
    if len(own) < 2:
        return {}
    wins = np.array(own) > np.array(other)
    return {
        "own": as_json(bootstrap(own, groups=groups)),
        "other": as_json(bootstrap(other, groups=groups)),
        "difference": as_json(paired_difference(own, other, groups=groups)),
        "own_is_higher": as_json(bootstrap(wins.astype(np.float64), groups=groups)),
        "samples": {"own": [round(v, 6) for v in own], "other": [round(v, 6) for v in other]},
        "other_metres": OTHER_METRES,
    }


def located_by_loss(
    artist: Artist, asked: Sequence[Asked], photos: Sequence[TrainingPhoto], plan: Plan, seed: int
) -> dict[str, Any]:
    """How far the model itself pins real photos down: cells of the city searched by falling diffusion loss.

    Cells of 100 m in which photos of the folder stand; the model is told the middle of these places, and the photo's
    own heading, as a camera with a compass would give it.

    Args:
        artist: whose model locates.
        asked: the photos, each once.
        photos: that say where there is something to search.
        plan: how many photos and draws.
        seed: of the noise.

    Returns:
        JSON values; empty if the plan leaves this out, or there is only one cell.
    """
    chosen = _each_once(asked)[: plan.located_photos]
    if len(chosen) < 2:
        return {}
    spots = np.array([photo.place_at(across) for photo in photos for across in np.linspace(0.05, 0.95, 7)])
    spots = np.concatenate([spots, [(one.question.place.lat, one.question.place.lon) for one in chosen]])
    grid = Grid.of(_box_around(spots), LOSS_CELL_METRES)
    numbers = grid.cell_of(spots[:, 0], spots[:, 1])
    cells = np.unique(numbers)
    if len(cells) < 2:
        return {}
    middles = [tuple(spots[numbers == cell].mean(axis=0)) for cell in cells]
    settings = NoiseSettings(draws=plan.located_draws, seed=seed)
    density = np.full((len(chosen), len(grid)), -np.inf)
    for index, one in enumerate(chosen):
        places = [Place(lat, lon, one.question.place.heading) for lat, lon in middles]
        picture = signed(picture_of(one.pixels))

        def on_place(done: int, total: int) -> None:
            artist.progress.advance(plan.located_draws)

        found = location_log_density(artist.painter.pipeline, picture, "", places, settings, on_place=on_place)
        # Only the order counts, which a factor does not change; differences of losses are small numbers.
        density[index, cells] = LOSS_FACTOR * found
    lats, lons = ([getattr(one.question.place, name) for one in chosen] for name in ("lat", "lon"))
    areas = areas_until_found(mass_of_density(density, grid), grid, lats, lons)
    groups = [one.question.source for one in chosen]
    return {
        "median_area": as_json(bootstrap(areas, median, groups=groups)),
        "search_km2": round(float(grid.areas[cells].sum()), 4),
        "cells": len(cells),
        "cell_metres": LOSS_CELL_METRES,
    }


def _box_around(spots: np.ndarray) -> Box:
    """The box of some places, with a margin that keeps it from being empty."""
    margin = 2e-4
    (south, west), (north, east) = spots.min(axis=0) - margin, spots.max(axis=0) + margin
    return Box(float(south), float(west), float(north), float(east))


def _each_once(asked: Sequence[Asked]) -> list[Asked]:
    """Questions of different crops."""
    seen: dict[tuple[float, float, str], Asked] = {}
    for one in asked:
        seen.setdefault((one.question.place.lat, one.question.place.lon, one.question.source), one)
    return list(seen.values())


def _metres(one: Place, other: Place) -> float:
    north = (one.lat - other.lat) * 111_195
    east = (one.lon - other.lon) * 111_195 * math.cos(math.radians(one.lat))
    return math.hypot(north, east)


# -- words and sides: what the probe of words and the photos' own features say --


def probe_words(probe: Path | None, card: ModelCard) -> list[str]:
    """The words that a probe can find and that the model knows; all that it can find where the two never meet."""
    if probe is None:
        return []
    words = list(WordProbe.open(probe).words)
    vocabulary = frozenset(map(str, card.choices.get("vocabulary") or ()))
    known = [word for word in words if word in card.words or (vocabulary and not unknown_words(word, vocabulary))]
    return known or words


def words_obeyed(
    artist: Artist,
    folder: Path,
    words: Sequence[str],
    places: Sequence[Place],
    own: Guidance,
    seed: int,
    crops: Sequence[tuple[str, Crop]] = (),
) -> list[dict[str, Any]]:
    """How often a probe finds each word when it is asked for, and when nothing is.

    Args:
        artist: draws.
        folder: of the probe.
        words: to ask for.
        places: where.
        own: how the model guides, with as many steps as are to be taken here.
        seed: of the noise.
        crops: real ones, with the names of their sources, to say what photographs themselves reach.
    """
    probe = WordProbe.open(folder).to(artist.painter.pipeline.unet.device)
    described = [(source, crop) for source, crop in crops if crop.view is not None and crop.view.tags]
    photos: dict[str, Any] = {}
    if described:
        pictures = torch.stack([picture_of(crop.pixels) for _, crop in described])
        tags = [crop.view.tags for _, crop in described if crop.view is not None]
        photos = found_in_photos(probe, signed(pictures), tags, [source for source, _ in described])
    known = {item.get("word"): item for item in probe_card(folder).get("held_out", []) if isinstance(item, dict)}

    def draw(prompts: Sequence[str], where: Sequence[Place], seeds: Sequence[int]) -> torch.Tensor:
        return signed(artist.draw(prompts, where, seeds, own))

    seeds = [(seed * 104_729 + 5_000 + index) % (MAX_SEED + 1) for index in range(len(places))]

    def report(done: int, total: int, text: str) -> None:
        artist.progress.stage(f"asking for single words: {text}")

    found = word_obedience(draw, probe, words, places, seeds=seeds, report=report)
    return [
        {
            "word": one.word,
            "asked": as_json(one.asked),
            "not_asked": as_json(one.not_asked),
            "ratio": as_json(one.ratio),
            "photos": as_json(photos[one.word]) if one.word in photos else None,
            # How far the probe itself can be trusted, as its card says; null where that was not measured.
            "probe": _probe_figures(known.get(one.word)),
        }
        for one in sorted(found, key=lambda one: -one.ratio.value)
    ]


def _probe_figures(item: dict[str, Any] | None) -> dict[str, Any] | None:
    if item is None:
        return None
    return {name: item.get(name) for name in ("prevalence", "precision", "area")}


def sides_of_the_street(
    artist: Artist,
    scorer: Scorer,
    judge: GPSClip,
    crops: Sequence[tuple[str, Crop]],
    points: Sequence[tuple[float, float]],
    own: Guidance,
    seed: int,
) -> dict[str, Any]:
    """Whether pictures that face the one side of a street and the other look like photos of just that side.

    Args:
        artist: draws.
        scorer: whose features pictures are compared by.
        judge: the same, for single batches.
        crops: real ones, with the names of their sources.
        points: latitudes and longitudes.
        own: how the model guides, with as many steps as are to be taken here.
        seed: of the noise.

    Returns:
        JSON values; empty where no point has photos of both sides near it.
    """
    turned = [crop for _, crop in crops if crop.heading is not None]
    if not turned:
        return {}
    features = scorer.features(torch.stack([picture_of(crop.pixels) for crop in turned]))
    assert features is not None
    photos = SidePhotos(
        torch.from_numpy(features).float().to(judge.device),
        np.array([crop.lat for crop in turned]),
        np.array([crop.lon for crop in turned]),
        np.array([crop.heading for crop in turned], dtype=np.float64),
    )
    places = both_sides(points, photos)
    if not places:
        return {}

    def draw(prompts: Sequence[str], where: Sequence[Place], seeds: Sequence[int]) -> torch.Tensor:
        return signed(artist.draw(prompts, where, seeds, own)).to(judge.device)

    spots = list(dict.fromkeys((place.lat, place.lon) for place in places))
    seeds = [(seed * 15_485_863 + spots.index((place.lat, place.lon))) % (MAX_SEED + 1) for place in places]
    try:
        found = side_agreement(draw, judge.features, photos, places, seeds=seeds)
    except ValueError:
        return {}
    return {"agreement": as_json(found.share), "pictures": len(found.agreed), "points": len(spots)}
