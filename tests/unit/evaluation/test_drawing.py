from __future__ import annotations

import pytest
import torch

from gpsdream_app.domain.places import Place
from gpsdream_app.evaluation.drawing import Artist, Guidance, Progress, passes_of, pipeline_takes, signed
from gpsdream_app.generation.draw import DrawingCancelled, Painter
from tests.tiny_model import tiny_card, tiny_pipeline

PLACE = Place(40.75, -73.98, 118.0)


def an_artist(progress: Progress | None = None) -> Artist:
    card = tiny_card()
    unheard = Progress(lambda *args: None, lambda: False)
    return Artist(Painter(tiny_pipeline(), card), Guidance.of(card), progress or unheard)


def test_a_picture_does_not_depend_on_its_neighbours() -> None:
    artist = an_artist()
    prompts = ["a mansion", "", "a church", ""]
    places = [PLACE, PLACE, None, None]
    together = artist.draw(prompts, places, [1, 2, 3, 4])
    assert together.shape == (4, 3, 32, 32)
    assert together.dtype == torch.uint8
    for index, (prompt, place) in enumerate(zip(prompts, places, strict=True)):
        alone = artist.draw([prompt], [place], [index + 1])[0]
        # Sums of larger batches are rounded otherwise.
        assert (together[index].int() - alone.int()).abs().max() <= 2
    assert signed(together).abs().max() <= 1


def test_equal_seeds_make_pairs_and_other_weights_make_others() -> None:
    artist = an_artist()
    first = artist.draw(["a mansion"], [PLACE], [5])
    assert torch.equal(first, artist.draw(["a mansion"], [PLACE], [5]))
    assert not torch.equal(first, artist.draw(["a mansion"], [PLACE], [6]))
    assert not torch.equal(first, artist.draw(["a mansion"], [PLACE], [5], Guidance(4, 9.0, 1.0)))


def test_passes_are_counted_as_they_are_taken() -> None:
    told: list[tuple[int, int, str]] = []
    progress = Progress(lambda *args: told.append(args), lambda: False)
    progress.total = 100
    artist = an_artist(progress)
    progress.stage("drawing")
    artist.draw(["a mansion", ""], [PLACE, PLACE], [1, 2])
    assert round(progress.done) == passes_of("a mansion", PLACE, 4) + passes_of("", PLACE, 4) == 20
    assert told[-1] == (20, 100, "drawing")
    progress.reach(10)
    assert round(progress.done) == 20
    progress.reach(1000)
    assert told[-1][:2] == (100, 100)


def test_it_is_cancelled_between_steps() -> None:
    steps = 0

    def cancelled() -> bool:
        nonlocal steps
        steps += 1
        return steps > 2

    with pytest.raises(DrawingCancelled):
        an_artist(Progress(lambda *args: None, cancelled)).draw(["a mansion"], [PLACE], [1])
    assert steps == 3


def test_what_the_pipeline_takes() -> None:
    artist = an_artist()
    assert pipeline_takes(artist.painter, "guidance_rescale")
    assert not pipeline_takes(artist.painter, "guidance_of_the_moon")
