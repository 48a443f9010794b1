"""Why a picture looks as it does, without widgets: asking the engine, following its work, choosing what is shown."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from dataclasses import dataclass
from enum import StrEnum

from PySide6.QtCore import QObject, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage

from gpsdream_app.domain.errors import Failure, GPSDreamError
from gpsdream_app.domain.events import Cancelled, Event, Explained, Failed, Finished, Loading, Started, Step
from gpsdream_app.domain.explanations import ExplainRequest, Explanation, TokenKind, TokenMap
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.ui.background import Background
from gpsdream_app.ui.engine_bridge import EngineBridge

REMEMBERED = 12  # explanations that are shown again at once
USUAL_STRENGTH = 0.7
SAMPLE = 24  # side at which two pictures are compared
MOST_DIFFERENCE = 8.0  # mean difference of brightness, 0 to 255, of what passes as one and the same picture


class WhyState(StrEnum):
    """How far an explanation is."""

    OFF = "off"
    WAITING = "waiting"
    WORKING = "working"
    SHOWN = "shown"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Answer:
    """An explanation, ready to be shown.

    Attributes:
        explanation: what the engine said.
        picture: the picture as it was drawn again.
    """

    explanation: Explanation
    picture: QImage


@dataclass(frozen=True, slots=True)
class PlaceMap:
    """Which parts of the picture the place as a whole explains, by whatever way it reached the model.

    Attributes:
        map: rows as in `TokenMap.map`.
        kind: none of a token's.
        share: none; it is no token and gets no attention.
        low: what 0 stands for.
        high: what 1 stands for.
    """

    map: tuple[tuple[float, ...], ...]
    kind: None = None
    share: None = None
    low: float = 0.0
    high: float = 1.0


Layer = TokenMap | PlaceMap


class Explainer(QObject):
    """Asks the engine why one picture looks as it does, and holds what is shown of the answer.

    Signals:
        changed: the state, the progress or the answer is another one.
        token_changed: another token's map is shown, or none, or in another strength.
    """

    changed = Signal()
    token_changed = Signal()

    def __init__(self, bridge: EngineBridge, background: Background, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge, self._background = bridge, background
        self.state = WhyState.OFF
        self.answer: Answer | None = None
        self.failure: Failure | None = None
        self.text = ""
        self.fraction = 0.0
        self.index = self.total = 0
        self.seconds_left: float | None = None
        self.differs = False
        self._request: GenerateRequest | None = None
        self._shown = QImage()
        self._job_id = ""
        self._chosen: int | None = None
        self._pointed: int | None = None
        self._strength = USUAL_STRENGTH
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        # Jobs that were left: what they still say is of no use to anybody.
        self._left: set[str] = set()

    # -- asking --

    @property
    def request(self) -> GenerateRequest | None:
        """The picture that is explained; None if none is."""
        return self._request

    @property
    def busy(self) -> bool:
        """Whether the engine is at it."""
        return self.state in (WhyState.WAITING, WhyState.WORKING)

    def ask(self, request: GenerateRequest, shown: QImage) -> None:
        """Explain a picture.

        Args:
            request: draws exactly this picture.
            shown: the picture as the person sees it; if drawing it again gives another one, `differs` says so.
        """
        self.leave()
        self._request, self._shown = request, shown
        known = self._answers.get(_key(request))
        if known is not None:
            self._answers.move_to_end(_key(request))
            self._show(known)
            return
        job_id = self._bridge.new_job_id()
        self._job_id = job_id
        self._begin(WhyState.WAITING)
        try:
            self._bridge.explain(ExplainRequest(request), job_id)
        except GPSDreamError as error:
            self._fail(error.failure)

    def again(self) -> None:
        """Ask once more after a failure."""
        if self._request:
            self.ask(self._request, self._shown)

    def leave(self) -> None:
        """Show nothing any more; if the engine is still at it, it stops."""
        if self.state is WhyState.OFF:
            return
        if self._job_id:
            self._left.add(self._job_id)
            self._bridge.engine.cancel(self._job_id)
        self._job_id = ""
        self._request, self.answer, self.failure = None, None, None
        self._shown = QImage()
        self._chosen = self._pointed = None
        self._begin(WhyState.OFF)
        self.token_changed.emit()

    def handle(self, event: Event) -> bool:
        """Take an event of the engine. Returns whether it belongs to an explanation."""
        if not event.job_id:
            return False
        if event.job_id in self._left:
            if isinstance(event, Finished | Failed | Cancelled):
                self._left.discard(event.job_id)
            return True
        if event.job_id != self._job_id:
            return False
        match event:
            case Started():
                self._begin(WhyState.WORKING)
            case Loading():
                self.text = event.text
                self.changed.emit()
            case Step():
                self.state, self.text = WhyState.WORKING, ""
                self.index, self.total, self.seconds_left = event.index, event.total, event.seconds_left
                self.fraction = event.index / event.total if event.total else 0.0
                self.changed.emit()
            case Explained():
                self._take(event.explanation)
            case Failed():
                self._fail(event.failure)
            case Cancelled():
                self._job_id = ""
                self.leave()
        return True

    def _begin(self, state: WhyState) -> None:
        self.state, self.text, self.fraction, self.seconds_left = state, "", 0.0, None
        self.index = self.total = 0
        self.changed.emit()

    def _take(self, explanation: Explanation) -> None:
        request = self._request
        self._left.add(self._job_id)  # `Finished` is still to come
        self._job_id = ""

        def show(picture: QImage) -> None:
            answer = Answer(explanation, picture)
            if request is not None:
                self._answers[_key(request)] = answer
                while len(self._answers) > REMEMBERED:
                    self._answers.popitem(last=False)
            if self._request == request and self.busy:
                self._show(answer)

        self._background.run(self, lambda: QImage.fromData(explanation.picture), show, self._fail, priority=5)

    def _fail(self, failure: Failure) -> None:
        self._job_id = ""
        self.failure = failure
        self._begin(WhyState.FAILED)

    def _show(self, answer: Answer) -> None:
        self.answer = answer
        self.differs = not _alike(self._shown, answer.picture)
        words = [number for number, token in enumerate(self.tokens) if token.kind is TokenKind.WORD]
        rest = range(len(self.tokens))
        self._chosen = max(words or rest, key=lambda number: self.tokens[number].share or 0.0, default=None)
        self._pointed = None
        self._begin(WhyState.SHOWN)
        self.token_changed.emit()

    # -- what is shown --

    @property
    def tokens(self) -> tuple[Layer, ...]:
        """The words in their order, the parts of the place, the place as a whole; empty while there is no answer."""
        if self.answer is None:
            return ()
        explanation = self.answer.explanation
        whole = explanation.typicality_map
        return explanation.tokens if whole is None else (*explanation.tokens, PlaceMap(whole))

    @property
    def chosen(self) -> int | None:
        """Number of the token that was chosen; None for the plain picture."""
        return self._chosen

    @property
    def token(self) -> Layer | None:
        """The token whose map is shown: the one that is pointed at, else the chosen one."""
        number = self._chosen if self._pointed is None else self._pointed
        return self.tokens[number] if number is not None and number < len(self.tokens) else None

    @property
    def strength(self) -> float:
        """How strongly the map covers the picture, 0 to 1."""
        return self._strength

    @strength.setter
    def strength(self, strength: float) -> None:
        self._strength = min(max(strength, 0.0), 1.0)
        self.token_changed.emit()

    def choose(self, number: int | None) -> None:
        """Show a token's map until another one is chosen; None shows the plain picture."""
        self._chosen = number
        self.token_changed.emit()

    def point(self, number: int | None) -> None:
        """Show a token's map for as long as the pointer is on it; None goes back to the chosen one."""
        if number != self._pointed:
            self._pointed = number
            self.token_changed.emit()

    def known(self, request: GenerateRequest) -> Explanation | None:
        """Return the explanation of a picture if it was asked for before."""
        answer = self._answers.get(_key(request))
        return answer.explanation if answer else None


def _key(request: GenerateRequest) -> str:
    return request.to_json()


def _alike(first: QImage, second: QImage) -> bool:
    """Whether two pictures look the same; a missing one looks like every other."""
    if first.isNull() or second.isNull():
        return True
    values: list[list[int]] = []
    for image in (first, second):
        small = image.scaled(
            QSize(SAMPLE, SAMPLE), Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation
        ).convertToFormat(QImage.Format.Format_Grayscale8)
        values.append([small.pixelColor(x, y).value() for y in range(SAMPLE) for x in range(SAMPLE)])
    difference = sum(abs(one - other) for one, other in zip(values[0], values[1], strict=True)) / SAMPLE**2
    return difference <= MOST_DIFFERENCE


# -- maps as pictures --

# From what was hardly looked at to what was looked at most: the rest sinks into the dark, lamplight falls on it.
RAMP = (
    (0.0, (8, 12, 24), 0.86),
    (0.3, (40, 22, 48), 0.74),
    (0.55, (150, 58, 24), 0.5),
    (0.8, (255, 150, 30), 0.36),
    (1.0, (255, 206, 80), 0.4),
)


def ramp_colour(value: float, strength: float = 1.0) -> QColor:
    """Return the colour that a value of a map (0 to 1) lays over the picture, with its opacity."""
    value = min(max(value, 0.0), 1.0)
    for (low, first, alpha), (high, second, beta) in itertools.pairwise(RAMP):
        if value <= high:
            share = (value - low) / (high - low)
            red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
            return QColor(red, green, blue, round(255 * strength * (alpha + (beta - alpha) * share)))
    raise AssertionError(value)


def heat_image(token: Layer, strength: float, side: int = 256) -> QImage:
    """Return a token's map as a translucent picture, smoothly enlarged.

    Args:
        token: the map; rows of another length than the first count as far as they go.
        strength: how strongly it covers, 0 to 1.
        side: of the picture, pixels; the shape is stretched to the picture's own when it is drawn.
    """
    height, width = len(token.map), len(token.map[0]) if token.map else 0
    if not width or strength <= 0:
        return QImage()
    grey = QImage(width, height, QImage.Format.Format_Grayscale8)
    grey.fill(0)
    for y, row in enumerate(token.map):
        for x, value in enumerate(row[:width]):
            level = round(255 * min(max(value, 0.0), 1.0))
            grey.setPixelColor(x, y, QColor(level, level, level))
    smooth = Qt.TransformationMode.SmoothTransformation
    ignore = Qt.AspectRatioMode.IgnoreAspectRatio
    while grey.width() * 2 < side:
        grey = grey.scaled(grey.size() * 2, ignore, smooth)
    grey = grey.scaled(QSize(side, side), ignore, smooth).convertToFormat(QImage.Format.Format_Grayscale8)
    # The same bytes, read as numbers of colours.
    heat = QImage(grey.constBits(), side, side, grey.bytesPerLine(), QImage.Format.Format_Indexed8)
    heat.setColorTable([ramp_colour(level / 255, strength).rgba() for level in range(256)])
    return heat.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied)


def where_looked(token: Layer) -> tuple[float, float] | None:
    """Return the middle of what a token was looked at most, as shares of width and height from the upper left; None
    if it was looked at everywhere alike.
    """
    if not token.map or token.high <= token.low * 1.25 + 1e-9:
        return None
    height = len(token.map)
    weight = x_sum = y_sum = 0.0
    for y, row in enumerate(token.map):
        for x, value in enumerate(row):
            if value >= 0.6:
                weight += value
                x_sum += value * (x + 0.5) / len(row)
                y_sum += value * (y + 0.5) / height
    return (x_sum / weight, y_sum / weight) if weight else None
