"""A whole evaluation, from a model folder and a folder of photos to a report on the disk."""

from __future__ import annotations

import contextlib
import datetime
import json
import secrets
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from gpsdream_app import __version__
from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.model_card import ModelCard
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.requests import MAX_PROMPT_CHARACTERS, MAX_SEED, GenerateRequest
from gpsdream_app.domain.results import Result
from gpsdream_app.evaluation.baselines import FOUND_ROWS, Row, address_of, conditions_of
from gpsdream_app.evaluation.drawing import Artist, Guidance, Progress
from gpsdream_app.evaluation.neighbourhoods import told_apart
from gpsdream_app.evaluation.page import Shown, write_page
from gpsdream_app.evaluation.plan import EvaluationSettings, Plan, plan_of
from gpsdream_app.evaluation.questions import (
    Sides,
    ask,
    part_photos,
    photos_to_ask,
    picture_area,
    sample,
    standing_crops,
)
from gpsdream_app.evaluation.report import plain_table
from gpsdream_app.evaluation.scores import Judges, Scorer, open_judges, search_area
from gpsdream_app.evaluation.sections import (
    LABELS,
    Answers,
    answer,
    findings,
    guidance_variants,
    located_by_loss,
    neighbourhood_findings,
    probe_words,
    quality,
    random_places,
    recall_by_row,
    sides_of_the_street,
    table_rows,
    typicality_of_places,
    weights_grid,
    words_obeyed,
)
from gpsdream_app.generation.draw import DrawingCancelled, Painter, choose_device
from gpsdream_app.geo.city import list_cities, load_city
from gpsdream_app.geo.frames import LocalFrame
from gpsdream_app.geo.gazetteer import Gazetteer
from gpsdream_app.library import paths
from gpsdream_app.library.judges import judges_folder
from gpsdream_app.library.model_folders import find_model, read_card, weights_hash
from gpsdream_app.library.picture_metadata import save_png
from gpsdream_app.photos.catalogue import Catalogue
from gpsdream_app.photos.prepared import INDEX_FILE, PIXELS_FILE, PreparedPhotos, TrainingPhoto
from gpsdream_app.photos.training_view import photos_of, training_photos, write_prepared

REPORT_PAGE, REPORT_JSON, REPORT_TABLE, PICTURES = "report.html", "report.json", "table.txt", "pictures"
UNFINISHED = ".unfinished-"
PREPARING_SHARE = 0.04  # of the whole time, by and large
LEAST_STORED_SIDE = 256
MOST_PHOTOS = 1_000  # whose pixels are read

Report = Callable[[int, int, str], None]


def evaluate(settings: EvaluationSettings, report: Report, cancelled: Callable[[], bool]) -> Path:
    """Measure a model and write the report.

    Args:
        settings: what is asked for.
        report: told (done, total, text); both numbers only count, and `total` stays the same.
        cancelled: asked at every denoising step.

    Returns:
        The page, report.html; beside it lie report.json, table.txt and pictures/.

    Raises:
        GPSDreamError: if the model cannot be measured on these photos; the sentence says why.
        DrawingCancelled: if it was cancelled; nothing is left behind.
    """
    return Evaluation(settings, report, cancelled).run()


class Evaluation:
    """One evaluation: what is known of it, and the parts in their order."""

    def __init__(self, settings: EvaluationSettings, report: Report, cancelled: Callable[[], bool]) -> None:
        self.settings = settings
        self.plan: Plan = plan_of(settings)
        self.progress = Progress(report, cancelled)
        self.cancelled = cancelled
        self.folder = find_model(settings.model)
        self.card: ModelCard = read_card(self.folder)
        self.own = Guidance.of(self.card)
        self.warnings: list[str] = []
        self.started = time.monotonic()

    def run(self) -> Path:
        """Measure, and write the report; see `evaluate`."""
        out = report_folder(self.settings, self.card)
        device = str(choose_device(self.settings.device))
        judges = open_judges(self.settings.judges or judges_folder(self.card.name), self.settings.clip, device)
        words = probe_words(judges.probe, self.card)
        self.budget = self.plan.budget(self.own.steps, len(words), self.own.text, self.own.place)
        self.progress.total = sum(self.budget.values()) * (1 + PREPARING_SHARE)
        with tempfile.TemporaryDirectory(prefix="gpsdream-evaluation-") as temporary:
            prepared = self._photos(Path(temporary))
            sides = part_photos(prepared.photos, self.card)
            photos = photos_to_ask(sides, self.card, seen_too=self.settings.seen_too)
            data, shown = self._measure(prepared, sides, photos, judges, words)
        return self._write(out, data, shown)

    # -- photos --

    def _photos(self, folder: Path) -> PreparedPhotos:
        """The photos, ready to be cut. Whether any may be asked about is looked at before pixels are read."""
        given = self.settings.photos
        if (given / INDEX_FILE).is_file() and (given / PIXELS_FILE).is_file():
            prepared = PreparedPhotos.open(given)
            if not prepared.photos:
                raise GPSDreamError(ErrorKind.BAD_PHOTO, f"“{given.name}” holds no photos.")
            return prepared
        self.progress.stage("reading the photos")
        with Catalogue(paths.catalogue_path()) as catalogue:
            records = photos_of(given, catalogue, self.cancelled, fewest=1, purpose="an evaluation")
        self.progress.advance(0)
        chosen = training_photos(records, ())
        photos = [photo for _, photo in chosen]
        asked = photos_to_ask(part_photos(photos, self.card), self.card, seen_too=self.settings.seen_too)
        numbers = sample(photos, asked, MOST_PHOTOS, self.settings.seed)
        if len(numbers) < len(photos):
            self.warnings.append(
                f"Of the folder’s {len(photos):,} photos, {len(numbers):,} were looked at: some of those that may be "
                "asked about, those that lie nearest to them, and others by chance."
            )
        try:
            return write_prepared(
                [chosen[number] for number in numbers],
                folder,
                side=max(LEAST_STORED_SIDE, self.card.image_size),
                area=picture_area(self.card),
                fewest=1,
                report=lambda done, total, text: self.progress.stage(text),
                cancelled=self.cancelled,
            )
        except KeyboardInterrupt:
            raise DrawingCancelled from None

    def _counts(self, sides: Sides, photos: Sequence[TrainingPhoto], judges: Judges) -> dict[str, Any]:
        """What was trained on what; doubts become warnings."""
        asked = {photo.source_name for photo in photos}
        learned = {photo.source_name for photo in sides.learned}
        if self.settings.seen_too and not sides.known:
            self.warnings.append(
                "The model's card does not list the photographs that it learned from: it may have seen any of those "
                "that it is asked about here. What follows says how well it remembers, not how well it does elsewhere."
            )
        elif self.settings.seen_too and asked & learned:
            self.warnings.append(
                f"{len(asked & learned)} of the {len(asked)} photographs that are asked about are among those that "
                "the model learned from. What follows says in part how well it remembers."
            )
        for name, sources in judges.learned_from.items():
            if not sources:
                self.warnings.append(f"The judge “{name}” does not say which photographs it was trained on.")
            elif asked & sources:
                self.warnings.append(
                    f"The judge “{name}” was trained on {len(asked & sources)} of the {len(asked)} photographs that "
                    "are asked about: it knows them by heart, and scores of pictures like them are too high."
                )
        if sides.outside:
            self.warnings.append(
                f"{sides.outside} photos lie outside the box in which the model can draw, and were left out."
            )
        named = self.card.training.get("held_out_sources")
        return {
            "folder": self.settings.photos.name,
            "held_out": len({photo.source_name for photo in sides.held_out}),
            "trained_on": len(learned),
            "asked": len(asked),
            "outside": sides.outside,
            "training_is_known": sides.known,
            "seen_too": self.settings.seen_too,
            "sources": sorted(asked),
            "held_out_sources_of_the_card": sorted(map(str, named)) if isinstance(named, (list, tuple)) else None,
            "judges_learned_from": {name: len(sources) for name, sources in judges.learned_from.items()},
        }

    # -- measuring --

    def _measure(
        self,
        prepared: PreparedPhotos,
        sides: Sides,
        photos: Sequence[TrainingPhoto],
        judges: Judges,
        words: Sequence[str],
    ) -> tuple[dict[str, Any], Shown]:
        settings, plan, progress = self.settings, self.plan, self.progress
        counts = self._counts(sides, photos, judges)
        progress.stage("loading the model")
        painter = Painter.load(self.folder, device=settings.device)
        reached = sum(self.budget.values()) * PREPARING_SHARE
        progress.reach(reached)

        def part_done(*names: str) -> None:
            nonlocal reached
            reached += sum(self.budget[name] for name in names)
            progress.reach(reached)

        own = self.own
        artist = Artist(painter, replace(own, steps=plan.steps(own.steps)), progress)
        inside = [*sides.held_out, *sides.learned]
        area = None
        if judges.gps is not None:
            places = [photo.place_at(across) for photo in inside for across in (0.1, 0.3, 0.5, 0.7, 0.9)]
            area = search_area(judges.gps, places, self.card.coverage)
        else:
            self.warnings.append("There is no GPS-CLIP, so nothing is said of places, areas and quality.")
        if judges.text is None:
            self.warnings.append("There is no CLIP, so nothing is said of words. --clip names a folder with one.")
        scorer = Scorer(judges, area)

        asked = ask(prepared, photos, self.card.image_size, plan.questions, seed=settings.seed)
        if not all(one.question.prompt for one in asked):
            self.warnings.append("The photos have no captions and no tags, so rows with words are left out.")
        gazetteer = gazetteer_of(self.card)
        if gazetteer is None:
            self.warnings.append("There is no map of this city, so rows with an address are left out.")
        crops = standing_crops(prepared, sides.learned, self.card.image_size)
        address = None if gazetteer is None else lambda place: address_of(gazetteer, place)
        answers = answer(artist, scorer, asked, crops, address)
        if Row.NEAREST_PHOTO not in answers.pictures:
            self.warnings.append(
                "The folder holds none of the photos that the model learned from, so there is no nearest one."
            )
        progress.stage("scoring")
        data: dict[str, Any] = {
            "schema": 1,
            "title": self._title(),
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "program": f"GPSDream {__version__}",
            "quick": settings.quick,
            "seed": settings.seed,
            "model": {
                "name": self.card.name,
                "title": self.card.title,
                "weights": weights_hash(self.folder),
                "image_size": self.card.image_size,
                "steps": artist.guidance.steps,
                "own_steps": own.steps,
                "text_guidance": own.text,
                "place_guidance": own.place,
                "sampling": own.more,
            },
            "photos": counts,
            "judges": {"text": judges.text_name if judges.text is not None else None, "place": judges.gps is not None},
            "questions": {
                "count": len(asked),
                "captions": sum(one.kind == "caption" for one in asked),
                "tags": sum(one.kind == "tags" for one in asked),
                "sources": len({one.question.source for one in asked}),
            },
            "search_km2": round(area.square_kilometres, 4) if area is not None else None,
            "rows": table_rows(answers),
            "findings": findings(answers),
            "recall_vs_area": recall_by_row(answers),
            "quality": quality(answers, scorer),
        }
        part_done("rows")

        progress.stage("drawing random places")
        shown = Shown(self.card.title)
        self._show_questions(shown, answers, address, artist.guidance)
        self._show_random(shown, artist, inside, gazetteer)
        part_done("random")

        rough = replace(own, steps=plan.rough_steps(own.steps))
        if all(one.question.prompt for one in asked) and (judges.gps is not None or judges.text is not None):
            progress.stage("measuring the weights of words and place")
            data["heat_map"] = weights_grid(artist, scorer, asked[: plan.weight_questions], plan, rough)
            part_done("weights")
            data["variants"] = guidance_variants(artist, scorer, asked[: plan.variant_questions], rough)
            part_done("variants")
        else:
            data["heat_map"], data["variants"] = {}, []
            part_done("weights", "variants")

        data["words"] = []
        if judges.probe is not None:
            progress.stage("asking for single words")
            spots = random_places(inside, plan.word_places, settings.seed)
            real = standing_crops(prepared, inside, self.card.image_size)
            data["words"] = words_obeyed(artist, judges.probe, words, spots, rough, settings.seed, real)
        else:
            self.warnings.append("There is no probe of words, so it is not said which words the model obeys.")
        part_done("words")
        data["side"] = {}
        if judges.gps is not None and self.card.has_heading:
            progress.stage("drawing both sides of the street")
            points = [(place.lat, place.lon) for place in random_places(inside, plan.side_places, settings.seed + 1)]
            # Real crops of the photos that are asked about would make it easier than it is.
            found = crops if not settings.seen_too else standing_crops(prepared, inside, self.card.image_size)
            data["side"] = sides_of_the_street(artist, scorer, judges.gps, found, points, rough, settings.seed)
        part_done("side")
        self._neighbourhoods(data, artist, scorer, prepared, sides, address)
        part_done("neighbourhoods")

        progress.stage("measuring typicality")
        data["typicality"] = typicality_of_places(artist, asked, inside, plan, settings.seed)
        part_done("typicality")
        progress.stage("looking for photos by the diffusion loss")
        data["located_by_loss"] = located_by_loss(artist, asked, inside, plan, settings.seed)
        part_done("locating")
        data["warnings"] = self.warnings
        data["seconds"] = round(time.monotonic() - self.started, 1)
        frame = LocalFrame(*self.card.box.centre)
        shown.learned = [frame.to_metres(photo.lat, photo.lon) for photo in sides.learned if photo not in photos]
        shown.asked = [frame.to_metres(photo.lat, photo.lon) for photo in photos]
        return data, shown

    def _neighbourhoods(
        self,
        data: dict[str, Any],
        artist: Artist,
        scorer: Scorer,
        prepared: PreparedPhotos,
        sides: Sides,
        address: Callable[[Place], str] | None,
    ) -> None:
        """Whether pictures look like their neighbourhood; a sentence where that cannot be said."""
        self.progress.stage("telling neighbourhoods apart")
        learned, held_out = (
            standing_crops(prepared, photos, self.card.image_size) for photos in (sides.learned, sides.held_out)
        )
        data["neighbourhoods"], reason = told_apart(
            artist,
            scorer,
            learned,
            held_out,
            load_city(self.card.city) if self.card.city in list_cities() else None,
            address,
            self.plan.neighbourhood_pictures,
            artist.guidance,
            self.settings.seed,
        )
        if reason:
            self.warnings.append(reason)
        data["findings"] += neighbourhood_findings(data["neighbourhoods"])

    def _title(self) -> str:
        quick = " (quick look)" if self.settings.quick else ""
        if self.settings.seen_too:
            return f"{self.card.title}: measured on photos that it may have learned from{quick}"
        return f"{self.card.title}: measured on photos that it has not seen{quick}"

    # -- pictures that are shown --

    def _result(self, prompt: str, place: Place | None, seed: int, guidance: Guidance) -> Result:
        request = GenerateRequest(
            place=place,
            prompt=prompt[:MAX_PROMPT_CHARACTERS],
            seed=seed,
            steps=guidance.steps,
            text_guidance=guidance.text,
            place_guidance=guidance.place,
            model=self.card.name,
        )
        return Result(
            id=uuid.uuid4().hex,
            job_id="evaluation",
            request=request,
            path="",
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            seconds=0.0,
            model_title=self.card.title,
            model_hash=weights_hash(self.folder),
            app_version=__version__,
            width=self.card.image_size,
            height=self.card.image_size,
        )

    def _show_questions(
        self, shown: Shown, answers: Answers, address: Callable[[Place], str] | None, guidance: Guidance
    ) -> None:
        where = address or (lambda place: f"{place.lat:.5f}, {place.lon:.5f}")
        order = [row for row in LABELS if row in answers.pictures]
        shown.rows = [(str(row), LABELS[row]) for row in order]
        for index, one in enumerate(answers.asked[: self.plan.shown]):
            column: dict[str, tuple[str, Image.Image, Result | None]] = {}
            for row in order:
                image = _image(answers.pictures[row][index])
                if row in FOUND_ROWS:
                    column[str(row)] = (f"question-{index + 1:02d}-{_slug(row)}.jpg", image, None)
                else:
                    prompt, place = conditions_of(row, one.question, where)
                    result = self._result(prompt, place, one.seed, guidance)
                    column[str(row)] = (f"question-{index + 1:02d}-{_slug(row)}.png", image, result)
            shown.questions.append((one.question.prompt, where(one.question.place), one.question.source, column))

    def _show_random(
        self, shown: Shown, artist: Artist, photos: Sequence[TrainingPhoto], gazetteer: Gazetteer | None
    ) -> None:
        side = self.plan.random_side
        places = random_places(photos, side * side, self.settings.seed)
        seeds = [(self.settings.seed * 7919 + 1000 + index) % (MAX_SEED + 1) for index in range(len(places))]
        pictures = artist.draw([""] * len(places), places, seeds)
        for index, place in enumerate(places):
            label = gazetteer.describe(place.lat, place.lon) if gazetteer else f"{place.lat:.4f}, {place.lon:.4f}"
            result = self._result("", place, seeds[index], artist.guidance)
            shown.random.append((label, f"place-{index + 1:02d}.png", _image(pictures[index]), result))
        shown.random_side = side

    # -- writing --

    def _write(self, out: Path, data: dict[str, Any], shown: Shown) -> Path:
        """Write everything beside its place first, so that a report is there whole or not at all."""
        unfinished = out / f"{UNFINISHED}{secrets.token_hex(4)}"
        try:
            try:
                (unfinished / PICTURES).mkdir(parents=True)
                data["grids"] = shown.save(unfinished / PICTURES, save_png)
                (unfinished / REPORT_TABLE).write_text(plain_table(data), encoding="utf-8")
                write_page(unfinished / REPORT_PAGE, data, shown)
                text = json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False)
                (unfinished / REPORT_JSON).write_text(text + "\n", encoding="utf-8")
                self.progress.reach(self.progress.total)
                (out / PICTURES).mkdir(exist_ok=True)
                for path in sorted((unfinished / PICTURES).iterdir()):
                    path.replace(out / PICTURES / path.name)
                for name in (REPORT_TABLE, REPORT_JSON, REPORT_PAGE):
                    (unfinished / name).replace(out / name)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
                with contextlib.suppress(OSError):
                    out.rmdir()  # only if nothing was written
        except OSError as error:
            raise paths.storage_error(error, error.filename or out, "the report was not written") from error
        return out / REPORT_PAGE


def _image(picture: torch.Tensor) -> Image.Image:
    return Image.fromarray(picture.permute(1, 2, 0).contiguous().numpy())


def _slug(row: Row) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in str(row)).replace("--", "-")


def report_folder(settings: EvaluationSettings, card: ModelCard) -> Path:
    """Where the report goes; a folder that holds something else is refused.

    Raises:
        GPSDreamError: if the folder holds other files, or cannot be made.
    """
    out = settings.out
    if out is None:
        stamp = datetime.datetime.now().strftime("%Y-%m-%d %H%M%S")
        name = "".join(letter for letter in card.name if letter.isalnum() or letter in "-_ ")[:80] or "model"
        out = paths.user_data_dir() / "evaluations" / f"{name} {stamp}"
    out = out.expanduser().absolute()
    if out.exists():
        others = list(out.iterdir()) if out.is_dir() else [out]
        if others and not (out / REPORT_JSON).is_file():
            raise GPSDreamError(
                ErrorKind.BAD_REQUEST,
                f"“{out.name}” already holds something that is no report.",
                "Give a new folder with --out, or that of an older report to replace it.",
            )
    return out


def gazetteer_of(card: ModelCard) -> Gazetteer | None:
    """What gives addresses in the model's city; None if there is no map of it."""
    return Gazetteer(load_city(card.city)) if card.city in list_cities() else None
