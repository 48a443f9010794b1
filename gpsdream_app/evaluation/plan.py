"""What an evaluation is asked for, and how many pictures it draws for that."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.evaluation.baselines import Row
from gpsdream_app.evaluation.neighbourhoods import PASSES as NEIGHBOURHOOD_PASSES

MOST_QUESTIONS, MOST_WORD_PLACES = 2_000, 2_000
DRAWN_ROWS = (
    Row.TEXT_ONLY,
    Row.TEXT_AND_ADDRESS,
    Row.OURS,
    Row.OURS_WITHOUT_TEXT,
    Row.OURS_WITHOUT_HEADING,
    Row.ADDRESS_ONLY,
)
# U-Net passes per step of a picture of each row.
PASSES = {
    Row.TEXT_ONLY: 2,
    Row.TEXT_AND_ADDRESS: 2,
    Row.OURS: 3,
    Row.OURS_WITHOUT_TEXT: 2,
    Row.OURS_WITHOUT_HEADING: 3,
    Row.ADDRESS_ONLY: 2,
}


@dataclass(frozen=True)
class EvaluationSettings:
    """What is asked for.

    Attributes:
        model: name of an installed model, or a model folder.
        photos: folder of geotagged photos, or of prepared ones.
        judges: folder of judges; None takes those that came with the model.
        clip: folder of a transformers CLIPModel for the CLIP score; None takes that of the judges.
        out: folder of the report; None makes one among the person's evaluations.
        quick: fewer questions and steps: a first look in a few minutes.
        seen_too: measure on photos that the model has learned from, too, and say so.
        questions: how many; None for as many as the time allows.
        word_places: places at which every word is asked for; None likewise.
        seed: of everything random.
        device: "auto", "cpu", "cuda" or "mps".
    """

    model: str
    photos: Path
    judges: Path | None = None
    clip: Path | None = None
    out: Path | None = None
    quick: bool = False
    seen_too: bool = False
    questions: int | None = None
    word_places: int | None = None
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        for value, what, most in (
            (self.questions, "questions", MOST_QUESTIONS),
            (self.word_places, "places for words", MOST_WORD_PLACES),
        ):
            if value is not None and not 1 <= value <= most:
                raise GPSDreamError(
                    ErrorKind.BAD_REQUEST, f"The number of {what} must lie between 1 and {most:,}, not be {value:,}."
                )
        if not 0 <= self.seed < 2**31:
            raise GPSDreamError(ErrorKind.BAD_REQUEST, "The seed must lie between 0 and 2,147,483,647.")


@dataclass(frozen=True)
class Plan:
    """How many pictures each part takes. The full one is made for 25 minutes on two cores, the quick one for 4.

    Attributes:
        questions: each is answered by every row of the table.
        steps_share: of the model's own denoising steps, for the rows and for the random places.
        rough_share: the same for parts that compare the model with itself.
        shown: questions whose pictures the report shows.
        weights: of words and of place, besides the model's own, for the heat map.
        weight_questions: that every cell of it is measured on.
        variant_questions: that every way of guiding is measured on.
        word_places: places at which every word is asked for.
        side_places: places at which both sides of the street are drawn.
        neighbourhood_pictures: of each way to draw, spread over the neighbourhoods.
        random_side: random places along one side of the picture grid.
        typical_photos: held-out crops whose typicality is measured.
        typical_others: other places that each is held against.
        typical_draws: pairs of timestep and noise.
        located_photos: held-out crops that the model itself looks for by its diffusion loss; 0 leaves that out.
        located_draws: pairs of timestep and noise.
    """

    questions: int = 96
    steps_share: float = 1.0
    rough_share: float = 0.5
    shown: int = 8
    weights: tuple[float, ...] = (1.0, 2.0, 3.5, 7.5)
    weight_questions: int = 12
    variant_questions: int = 24
    word_places: int = 48
    side_places: int = 50
    neighbourhood_pictures: int = 96
    random_side: int = 5
    typical_photos: int = 27
    typical_others: int = 3
    typical_draws: int = 8
    located_photos: int = 12
    located_draws: int = 4

    def steps(self, own: int) -> int:
        """Denoising steps for the rows, from those of the model."""
        return _share(own, self.steps_share)

    def rough_steps(self, own: int) -> int:
        """Denoising steps for parts that compare the model with itself."""
        return _share(own, min(self.rough_share, self.steps_share))

    def weights_with(self, own: float) -> tuple[float, ...]:
        """Weights along one side of the heat map: the model's own in place of one that is nearly the same."""
        return tuple(sorted({own, *(weight for weight in self.weights if abs(weight - own) > 0.26)}))

    def budget(self, own_steps: int, words: int, text: float, place: float) -> dict[str, float]:
        """U-Net passes of each part, for the progress bar."""
        steps, rough = self.steps(own_steps), self.rough_steps(own_steps)
        grid = len(self.weights_with(text)) * len(self.weights_with(place))
        return {
            "rows": self.questions * steps * sum(PASSES[row] for row in DRAWN_ROWS),
            "random": self.random_side**2 * steps * 2,
            "weights": grid * self.weight_questions * rough * 3,
            "variants": 5 * self.variant_questions * rough * 3,
            "words": self.word_places * rough * (3 * words + 2) if words else 0,
            "side": self.side_places * 2 * rough * 2,
            "neighbourhoods": self.neighbourhood_pictures * steps * NEIGHBOURHOOD_PASSES,
            "typicality": self.typical_photos * self.typical_draws * 2 * (1 + self.typical_others),
            # How many cells there are is known only with the photos; that of the embedded model has about so many.
            "locating": self.located_photos * self.located_draws * 100,
        }


def _share(steps: int, share: float) -> int:
    # A model of few steps is made for just those: fewer would be another model.
    return steps if steps <= 8 else max(8, round(steps * share))


FULL = Plan()
QUICK = Plan(
    questions=32,
    steps_share=0.5,
    shown=5,
    weights=(1.0, 4.0),
    weight_questions=4,
    variant_questions=4,
    word_places=6,
    side_places=12,
    neighbourhood_pictures=24,
    random_side=3,
    typical_photos=8,
    typical_others=2,
    typical_draws=4,
    located_photos=0,
)


def plan_of(settings: EvaluationSettings) -> Plan:
    """The plan that fits some settings."""
    plan = QUICK if settings.quick else FULL
    if settings.questions is not None:
        plan = replace(
            plan,
            questions=settings.questions,
            shown=min(plan.shown, settings.questions),
            weight_questions=min(plan.weight_questions, settings.questions),
            variant_questions=min(plan.variant_questions, settings.questions),
        )
    if settings.word_places is not None:
        plan = replace(plan, word_places=settings.word_places)
    return plan
