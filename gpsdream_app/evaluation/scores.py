"""What judges say of pictures: CLIP score, GPS score, the area to which a picture pins its place down, features."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.model_card import Coverage
from gpsdream_app.evaluation.area import Grid, areas_until_found, mass_of_density
from gpsdream_app.evaluation.baselines import Question
from gpsdream_app.evaluation.drawing import signed
from gpsdream_app.evaluation.questions import file_name
from gpsdream_app.evaluation.statistics import Floats, Interval, bootstrap, bootstrap_distribution, median
from gpsdream_app.geo.frames import LocalFrame
from gpsdream_app.models.gps_clip import GPSClip, open_gps_clip
from gpsdream_app.models.text_clip import TextClip

GPS_FOLDER, TEXT_FOLDER, PROBE_FOLDER = "gps-clip", "text-clip", "probe"
FACTS = {GPS_FOLDER: "gps-clip.json", TEXT_FOLDER: "text-clip.json", PROBE_FOLDER: "probe.json"}
SMALLEST_CELL_METRES = 25.0
MOST_CELLS = 40_000
REACH_METRES = 50.0
BATCH = 32


@dataclass
class Judges:
    """Networks that score pictures; each may be missing.

    Attributes:
        gps: pictures against places.
        text: pictures against words.
        probe: folder of the classifier of words; None if there is none.
        text_name: what the text judge is, for the report.
        learned_from: by judge, the file names of the photographs that it was trained on; empty if not known.
    """

    gps: GPSClip | None
    text: TextClip | None
    probe: Path | None
    text_name: str
    learned_from: dict[str, frozenset[str]] = field(default_factory=dict)


def _learned_from(folder: Path, name: str) -> frozenset[str]:
    try:
        facts = json.loads((folder / name / FACTS[name]).read_text(encoding="utf-8"))
        return frozenset(file_name(str(source)) for source in facts["trained_on"])
    except (OSError, ValueError, KeyError, TypeError):
        return frozenset()


def open_judges(folder: Path | None, clip: Path | None = None, device: str = "cpu") -> Judges:
    """Open the judges of a folder.

    Args:
        folder: holds `gps-clip`, `text-clip` and `probe`, any of which may be missing.
        clip: folder of a transformers CLIPModel that stands in for the small one.
        device: name of the device that they score on.

    Raises:
        GPSDreamError: if there is no judge at all, or one is damaged.
    """
    there = [name for name in FACTS if folder is not None and (folder / name).is_dir()]
    if not there and clip is None:
        where = f" in “{folder.name}”" if folder is not None else ""
        raise GPSDreamError(
            ErrorKind.MODEL_MISSING,
            f"There are no judges{where}: nothing that can score a picture against a place or against words.",
            "Train them on the photos with `gpsdream train-gps-clip --photos DIR --out JUDGES`, and give that folder "
            "with --judges.",
        )
    gps = open_gps_clip(folder / GPS_FOLDER) if folder is not None and GPS_FOLDER in there else None
    text = None
    if clip is not None:
        text = TextClip.open(clip)
    elif folder is not None and TEXT_FOLDER in there:
        text = TextClip.open(folder / TEXT_FOLDER)
    if gps is not None:
        gps.to(device)
    if text is not None:
        text.model.to(device)
    learned = {name: _learned_from(folder, name) for name in there} if folder is not None else {}
    if clip is not None:
        learned.pop(TEXT_FOLDER, None)
    return Judges(
        gps,
        text,
        folder / PROBE_FOLDER if folder is not None and PROBE_FOLDER in there else None,
        clip.name if clip is not None else "a small CLIP of these captions",
        learned,
    )


@dataclass(frozen=True)
class SearchArea:
    """Where in the city a picture's place is looked for.

    Attributes:
        grid: of the whole box.
        cells: numbers of its cells that count.
    """

    grid: Grid
    cells: np.ndarray

    @property
    def square_kilometres(self) -> float:
        """Area of the cells that count."""
        return float(self.grid.areas[self.cells].sum())


def search_area(judge: GPSClip, places: Sequence[tuple[float, float]], coverage: Coverage | None) -> SearchArea:
    """Cells of the judge's box that come within 50 m east, west, north or south of a photo or the model's coverage.

    A picture of a street is looked for along the streets that were photographed, not in rivers and in parts of the
    box that no photo shows: the same for every row, so no row gains by it.

    Args:
        judge: whose box it is.
        places: (latitude, longitude) of the photos, learned and held out, degrees.
        coverage: of the model's card.
    """
    box = judge.box
    known = list(places)
    if coverage is not None:
        known += [coverage.centre(row, column) for row, column, _ in coverage.cells]
    frame = LocalFrame(*box.centre)
    corners = [frame.to_metres(lat, lon) for lat, lon in ((box.south, box.west), (box.north, box.east))]
    area = abs((corners[1][0] - corners[0][0]) * (corners[1][1] - corners[0][1]))
    cell = max(SMALLEST_CELL_METRES, math.sqrt(area / MOST_CELLS))
    grid = Grid.of(box, cell)
    spots = np.array([frame.to_metres(*place) for place in known])
    near = np.zeros(len(grid), dtype=bool)
    reach = max(REACH_METRES, cell)
    # Every place is moved about by steps of half a cell at most, and marks the cells that it comes into.
    shifts = np.linspace(-reach, reach, 2 * math.ceil(2 * reach / cell) + 1)
    for east in shifts:
        for north in shifts:
            numbers = grid.cell_of(*frame.to_degrees(spots[:, 0] + east, spots[:, 1] + north))
            near[numbers[numbers >= 0]] = True
    cells = np.flatnonzero(near)
    return SearchArea(grid, cells if len(cells) else np.arange(len(grid)))


@dataclass(frozen=True)
class PictureScores:
    """Scores of the pictures of one row, question by question; None where a judge is missing.

    Attributes:
        clip: (n,), 100 cos of picture and words.
        gps: (n,), 100 cos of picture and place, without its heading.
        gps_heading: (n,), with it; None for a judge that knows no headings.
        areas: (n,), km2 searched until the place is found.
        features: (n, width), of the GPS-CLIP's image tower.
    """

    clip: Floats | None
    gps: Floats | None
    gps_heading: Floats | None
    areas: Floats | None
    features: Floats | None

    @property
    def average(self) -> Floats | None:
        """(n,), mean of CLIP and GPS score."""
        return None if self.clip is None or self.gps is None else (self.clip + self.gps) / 2


def _numbers(parts: list[torch.Tensor]) -> Floats:
    return cast(Floats, torch.cat(parts).double().cpu().numpy())


class Scorer:
    """Scores lists of pictures with opened judges."""

    def __init__(self, judges: Judges, area: SearchArea | None) -> None:
        """Make a scorer.

        Args:
            judges: that score.
            area: where places are looked for; None leaves that out.
        """
        self.judges, self.area = judges, area
        self._cells: torch.Tensor | None = None
        if judges.gps is not None and area is not None:
            lat, lon = (torch.from_numpy(values[area.cells]) for values in area.grid.centres)
            with torch.no_grad():
                device = judges.gps.device
                self._cells = judges.gps.embed_places(lat.to(device), lon.to(device))

    def has_headings(self) -> bool:
        """Whether the judge of places knows headings."""
        return self.judges.gps is not None and bool(self.judges.gps.config.has_heading)

    def features(self, pictures: torch.Tensor) -> Floats | None:
        """Features (n, width) of uint8 pictures (n, 3, side, side)."""
        gps = self.judges.gps
        if gps is None or not len(pictures):
            return None
        with torch.no_grad():
            return _numbers([gps.features(signed(part).to(gps.device)) for part in pictures.split(BATCH)])

    def score(self, pictures: torch.Tensor, questions: Sequence[Question]) -> PictureScores:
        """Score pictures as answers to questions.

        Args:
            pictures: (n, 3, side, side), uint8.
            questions: n of them. CLIP scores are those of the questions' words, whatever the model was told.
        """
        with torch.no_grad():
            return self._score(pictures, questions)

    def _score(self, pictures: torch.Tensor, questions: Sequence[Question]) -> PictureScores:
        clip = gps = turned = areas = features = None
        starts = range(0, len(questions), BATCH)
        if self.judges.text is not None and all(question.prompt for question in questions):
            judge = self.judges.text
            clip = _numbers(
                [
                    judge.clip_score(
                        signed(pictures[i : i + BATCH]), [question.prompt for question in questions[i : i + BATCH]]
                    )
                    for i in starts
                ]
            )
        if self.judges.gps is not None:
            model = self.judges.gps
            device = model.device
            features = self.features(pictures)
            projected = model.projection(torch.from_numpy(features).float().to(device))
            embedded = torch.nn.functional.normalize(projected, dim=1)
            lat, lon, heading = (
                torch.tensor([math.nan if value is None else value for value in column], dtype=torch.float64).to(device)
                for column in zip(*((q.place.lat, q.place.lon, q.place.heading) for q in questions), strict=True)
            )
            gps = _numbers([100 * (embedded * model.embed_places(lat, lon)).sum(dim=1)])
            if self.has_headings():
                turned = _numbers([100 * (embedded * model.embed_places(lat, lon, heading)).sum(dim=1)])
            if self._cells is not None and self.area is not None:
                density = _numbers([embedded @ self._cells.T / model.config.temperature])
                areas = self._areas(density, questions)
        return PictureScores(clip, gps, turned, areas, features)

    def _areas(self, density: Floats, questions: Sequence[Question]) -> Floats:
        assert self.area is not None
        grid, cells = self.area.grid, self.area.cells
        # Cells that do not count have no mass, so they are searched last.
        everywhere = np.full((len(density), len(grid)), -np.inf)
        everywhere[:, cells] = density
        lats = np.array([question.place.lat for question in questions])
        lons = np.array([question.place.lon for question in questions])
        return areas_until_found(mass_of_density(everywhere, grid), grid, lats, lons)


# -- figures with intervals --


def figures_of(scores: PictureScores, groups: Sequence[str], *, resamples: int = 2_000) -> dict[str, Interval]:
    """The columns of a row: means of the scores and the median area, with 95 % intervals by source photograph."""
    figures: dict[str, Interval] = {}
    for name, values in (("clip", scores.clip), ("gps", scores.gps), ("average", scores.average)):
        if values is not None:
            figures[name] = bootstrap(values, groups=groups, resamples=resamples)
    if scores.areas is not None:
        figures["median_area"] = bootstrap(scores.areas, median, groups=groups, resamples=resamples)
    if scores.gps_heading is not None:
        figures["gps_heading"] = bootstrap(scores.gps_heading, groups=groups, resamples=resamples)
    return figures


def _ratio(pairs: Floats, weights: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: Floats = (weights @ pairs[:, 0]) / (weights @ pairs[:, 1])
    return ratio


def _ratio_of_medians(pairs: Floats, weights: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: Floats = median(pairs[:, 0], weights) / median(pairs[:, 1], weights)
    return ratio


def ratio_of(
    first: Floats, second: Floats, groups: Sequence[str], *, medians: bool = False, resamples: int = 2_000
) -> Interval | None:
    """How many times as large one mean (or median) is as another, on the same questions, with its 95 % interval.

    None where the second is not above zero, so that a ratio would mean nothing.
    """
    statistic: Callable[[Floats, Floats], Floats] = _ratio_of_medians if medians else _ratio
    pairs = np.stack([first, second], axis=1)
    below = float(np.median(second) if medians else second.mean())
    if not (np.isfinite(pairs).all() and below > 0):
        return None
    value = float(statistic(pairs, np.ones((1, len(pairs))))[0])
    drawn = bootstrap_distribution(pairs, statistic, groups=groups, resamples=resamples)
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        return None
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Interval(value, float(min(low, value)), float(max(high, value)), len(pairs))


def as_json(interval: Interval | None) -> dict[str, Any] | None:
    """An interval as JSON values; what is not finite becomes null."""
    if interval is None:
        return None

    def number(value: float) -> float | None:
        return round(value, 6) if math.isfinite(value) else None

    return {
        "value": number(interval.value),
        "low": number(interval.low),
        "high": number(interval.high),
        "count": interval.count,
    }
