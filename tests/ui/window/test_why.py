"""“Why does it look like this?”: asking, watching, pointing at words, leaving."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QEnterEvent, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel

from gpsdream_app.domain.errors import ErrorKind, Failure
from gpsdream_app.domain.explanations import TokenKind, TokenMap
from gpsdream_app.engine.fake import FakeEngine, Script
from gpsdream_app.ui.explainer import USUAL_STRENGTH, WhyState, heat_image, ramp_colour, where_looked
from gpsdream_app.ui.phrases import percent_text, short_typicality_text, typicality_text, where_text
from gpsdream_app.ui.why_card import TokenChip

from .rig import CATHEDRAL, FLATIRON, HOSTILE, Rig

MakeRig = Callable[..., Rig]
LEFT = Qt.MouseButton.LeftButton


def token(rows: list[list[float]], low: float = 0.0, high: float = 1.0) -> TokenMap:
    return TokenMap("church", TokenKind.WORD, tuple(map(tuple, rows)), 0.2, low, high)


def explained(rig: Rig, prompt: str = "a church, awnings") -> list[TokenChip]:
    """Draw a picture, ask why it looks as it does, and return the chips of the answer."""
    rig.draw(prompt=prompt)
    QTest.mouseClick(rig.window.picture.why, LEFT)
    rig.until(lambda: rig.session.why.state is WhyState.SHOWN)
    return rig.window.why.chips


# -- maps --


def test_a_map_is_bright_where_it_was_looked_at() -> None:
    image = heat_image(token([[0.0, 1.0], [0.0, 0.0]]), 1.0, side=64)
    assert (image.width(), image.height()) == (64, 64)
    dark, bright = image.pixelColor(4, 60), image.pixelColor(60, 4)
    assert bright.lightness() > dark.lightness() + 60
    between = [image.pixelColor(x, 4).lightness() for x in range(0, 64, 8)]
    assert all(after >= before - 4 for before, after in pairwise(between)), "smooth, no steps"


@pytest.mark.parametrize("rows", [[], [[]]])
def test_an_empty_map_lays_nothing_over(rows: list[list[float]]) -> None:
    assert heat_image(token(rows), 1.0).isNull()


def test_strength_fades_the_map() -> None:
    assert heat_image(token([[1.0]]), 0.0).isNull()
    assert ramp_colour(0.2, 0.5).alpha() < ramp_colour(0.2, 1.0).alpha()
    assert ramp_colour(-1.0) == ramp_colour(0.0)
    assert ramp_colour(7.0) == ramp_colour(1.0)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([[1, 0, 0], [0, 0, 0], [0, 0, 0]], "at the upper left"),
        ([[0, 0, 0], [0, 1, 0], [0, 0, 0]], "in the middle"),
        ([[0, 0, 0], [0, 0, 0], [1, 1, 1]], "at the bottom"),
    ],
)
def test_where_is_said_in_words(rows: list[list[float]], words: str) -> None:
    assert where_text(where_looked(token(rows))) == words


def test_a_map_without_contrast_says_so() -> None:
    assert where_looked(token([[0.0, 1.0]], low=0.1, high=0.11)) is None
    assert where_text(None) == "everywhere alike"


def test_typicality_in_a_sentence() -> None:
    assert typicality_text(0.95, 40).startswith("Very typical of this place")
    assert "95 % of 40 other places" in typicality_text(0.95, 40)
    assert "Not typical" in typicality_text(0.1, 40)
    assert typicality_text(None, 0) == ""
    assert short_typicality_text(0.95, 40) == "typicality 95 %"
    assert short_typicality_text(None, 40) == ""
    assert percent_text(0.001) == "<1 %"


# -- the mode --


def test_chips_name_words_and_place_with_their_shares(rig: Rig) -> None:
    chips = explained(rig)
    names = [chip.text() for chip in chips]
    assert names[:3] == ["a", "church", "awnings"]
    assert names[3:] == ["Longitude", "Latitude", "Direction", "Whole place"]
    answer = rig.session.why.answer
    assert answer is not None
    explanation = answer.explanation
    for token, chip in zip(explanation.tokens, chips, strict=False):
        assert percent_text(token.share) in chip.accessibleName()
        assert "Looked at most" in chip.accessibleDescription()
    assert "explains most" in chips[-1].accessibleDescription()
    assert rig.window.why.isVisible()
    assert not rig.window.form_scroll.isVisible()
    assert rig.window.picture.why.isChecked()
    said = typicality_text(explanation.typicality_rank, explanation.places_compared)
    assert rig.window.why.typical.text() == said


def test_the_picture_keeps_its_size_and_gets_a_map(rig: Rig) -> None:
    rig.draw()
    before = rig.window.picture.view.geometry()
    chips = explained(rig)
    view = rig.window.picture.view
    assert view.geometry() == before
    first = view.overlay
    assert not first.isNull()
    QTest.mouseClick(next(chip for chip in chips if not chip.isChecked()), LEFT)
    assert view.overlay != first


def test_pointing_shows_a_map_for_as_long_as_it_points(rig: Rig) -> None:
    chips = explained(rig)
    why, view = rig.session.why, rig.window.picture.view
    chosen = view.overlay
    other = next(chip for chip in chips if chip.number != why.chosen)
    point = QPointF(4, 4)
    QApplication.sendEvent(other, QEnterEvent(point, point, point))
    assert why.token == why.tokens[other.number]
    assert view.overlay != chosen
    QApplication.sendEvent(other, QEvent(QEvent.Type.Leave))
    assert view.overlay == chosen


def test_a_second_click_shows_the_plain_picture(rig: Rig) -> None:
    chips = explained(rig)
    chosen = next(chip for chip in chips if chip.isChecked())
    QTest.mouseClick(chosen, LEFT)
    rig.session.why.point(None)
    assert rig.session.why.token is None
    assert rig.window.picture.view.overlay.isNull()
    assert rig.window.why.looked.text() == "The picture as it is."


def test_the_keyboard_goes_from_chip_to_chip_and_escape_leaves(rig: Rig) -> None:
    chips = explained(rig)
    rig.window.activateWindow()
    assert QApplication.focusWidget() is rig.window.why.close_button
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
    assert QApplication.focusWidget() is chips[0]
    assert rig.session.why.chosen == 0
    QTest.keyClick(chips[0], Qt.Key.Key_Right)
    assert rig.session.why.chosen == 1
    assert chips[1].isChecked()
    QTest.keyClick(chips[1], Qt.Key.Key_Escape)
    assert rig.session.why.state is WhyState.OFF
    assert rig.window.form_scroll.isVisible()
    assert rig.window.picture.view.overlay.isNull()
    assert QApplication.focusWidget() is rig.window.picture.why


def test_strength_is_a_slider(rig: Rig) -> None:
    explained(rig)
    slider, view = rig.window.why.strength, rig.window.picture.view
    assert slider.value() == round(100 * USUAL_STRENGTH)
    slider.setValue(0)
    assert view.overlay.isNull()
    slider.setValue(100)
    assert not view.overlay.isNull()


def test_progress_is_shown_and_cancel_works(make_rig: MakeRig) -> None:
    engine = FakeEngine()
    rig = make_rig(engine=engine).open()
    rig.draw()
    engine.gate.clear()
    QTest.keyClick(rig.window, Qt.Key.Key_E, Qt.KeyboardModifier.ControlModifier)
    card = rig.window.why
    assert card.isVisible()
    assert card.cancel.isVisible()
    rig.until(lambda: rig.session.why.state is WhyState.WORKING)
    QTest.mouseClick(card.cancel, LEFT)
    assert rig.session.why.state is WhyState.OFF
    assert rig.window.form_scroll.isVisible()
    engine.gate.set()
    assert rig.draw()  # the engine is free again
    assert rig.session.notice is None


def test_a_failure_stands_in_the_card_and_asking_again_works(make_rig: MakeRig) -> None:
    engine = FakeEngine()
    rig = make_rig(engine=engine).open()
    rig.draw()
    engine.play_next(Script(fail_at=2, failure=Failure(ErrorKind.OUT_OF_MEMORY, "Too little memory.", "Close some.")))
    rig.session.explain()
    card = rig.window.why
    rig.until(lambda: rig.session.why.state is WhyState.FAILED)
    assert (card.failure.text(), card.hint.text()) == ("Too little memory.", "Close some.")
    assert rig.session.notice is None, "the sentence stands where it happened"
    QTest.mouseClick(card.again, LEFT)
    rig.until(lambda: rig.session.why.state is WhyState.SHOWN)
    assert not card.failure.isVisible()


def test_a_dead_engine_is_a_sentence(make_rig: MakeRig) -> None:
    engine = FakeEngine()
    rig = make_rig(engine=engine).open()
    rig.draw()
    engine.play_next(Script(die_at=1))
    rig.session.explain()
    rig.until(lambda: rig.session.why.state is WhyState.FAILED)
    assert "stopped" in rig.window.why.failure.text()


@pytest.mark.parametrize("how", ["draw", "choose", "place", "delete"])
def test_another_picture_or_place_leaves_the_mode(rig: Rig, how: str) -> None:
    first = rig.draw(CATHEDRAL)[0]
    explained(rig)
    if how == "draw":
        rig.window.draw_now()
    elif how == "choose":
        rig.filmstrip_click(first.id)
    elif how == "place":
        rig.map.place_picked.emit(40.75, -73.99)
    else:
        rig.session.delete(rig.session.film.current)
    rig.idle()
    assert rig.session.why.state is WhyState.OFF
    assert rig.window.form_scroll.isVisible()
    assert rig.window.picture.view.overlay.isNull()


def test_a_known_answer_is_shown_at_once(rig: Rig) -> None:
    explained(rig)
    rig.session.why.leave()
    rig.session.explain()
    assert rig.session.why.state is WhyState.SHOWN
    result = rig.window.picture.view.result
    assert result is not None
    assert "ypicality" in rig.window.picture.known_text(result)


def test_what_is_drawn_meanwhile_does_not_replace_the_picture(make_rig: MakeRig) -> None:
    engine = FakeEngine()
    rig = make_rig(engine=engine).open()
    drawn = rig.draw()[0]
    engine.gate.clear()
    rig.window.draw_now()
    rig.until(lambda: rig.session.queue.current is not None)
    rig.session.explain()
    engine.gate.set()
    rig.until(lambda: rig.session.why.state is WhyState.SHOWN)
    rig.idle()
    assert rig.session.shown is not None
    assert rig.session.shown.result == drawn
    assert len(rig.session.film.results) == 2


def test_a_picture_that_has_changed_says_so(rig: Rig) -> None:
    explained(rig)
    assert not rig.session.why.differs
    shown = rig.session.shown
    assert shown is not None
    assert shown.request is not None
    black = QImage(64, 64, QImage.Format.Format_RGB32)
    black.fill(Qt.GlobalColor.black)
    rig.session.why.ask(shown.request, black)
    assert rig.session.why.differs
    assert rig.window.why.differs.isVisible()
    rig.session.why.leave()
    assert rig.window.picture.view.result == shown.result


def test_an_opened_picture_is_explained_too(rig: Rig) -> None:
    result = rig.draw(FLATIRON, "a church")[0]
    rig.session.open_picture(Path(result.path))
    rig.idle()
    rig.session.explain()
    rig.until(lambda: rig.session.why.state is WhyState.SHOWN)
    assert rig.session.why.request == result.request


def test_markup_in_a_word_is_shown_as_it_is(rig: Rig) -> None:
    explained(rig, prompt=HOSTILE)
    for label in rig.window.why.findChildren(QLabel):
        assert label.textFormat() is Qt.TextFormat.PlainText or not label.text()
    for chip in rig.window.why.chips:
        assert "<img" not in chip.toolTip()
