"""Words on a terminal."""

from __future__ import annotations

import io

import pytest

from gpsdream_app.commands.terminal import Progress, table
from gpsdream_app.domain.words import distance_words, size_words, time_words


class FakeTerminal(io.TextIOWrapper):
    """A stream that says it is a terminal."""

    def __init__(self, encoding: str) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, write_through=True)

    def isatty(self) -> bool:
        return True

    def text(self) -> str:
        return self.buffer.getvalue().decode(self.encoding)  # type: ignore[attr-defined]


def test_columns_line_up() -> None:
    assert table([("a", "bb"), ("ccc", "d")], ("x", "y")) == "x    y\na    bb\nccc  d"
    assert table([]) == ""


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (2_134_200_000, "2.1 GB")]
)
def test_sizes(size: int, words: str) -> None:
    assert size_words(size) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "about 1 s"), (20.4, "about 20 s"), (600, "about 10 min"), (7800, "about 2 h 10 min"), (7200, "about 2 h")],
)
def test_times(seconds: float, words: str) -> None:
    assert time_words(seconds) == words


@pytest.mark.parametrize(("metres", "words"), [(0, "0 m"), (151.4, "151 m"), (999, "1.0 km"), (12_345, "12.3 km")])
def test_distances(metres: float, words: str) -> None:
    assert distance_words(metres) == words


def test_a_terminal_gets_a_bar_that_is_taken_away() -> None:
    stream = FakeTerminal("utf-8")
    with Progress("Drawing", stream=stream) as progress:
        progress.update(5, 10, "steps", 3.0)
    text = stream.text()
    assert "█" * 12 + "░" * 12 in text
    assert "5 of 10  steps  about 3 s left" in text
    assert text.endswith("\r")
    assert "\n" not in text


def test_a_terminal_without_blocks_gets_plain_characters() -> None:
    stream = FakeTerminal("ascii")
    Progress("Drawing", stream=stream).update(1, 2)
    assert "#" * 12 + "." * 12 in stream.text()


def test_a_log_gets_lines_only_now_and_then() -> None:
    stream = io.StringIO()
    with Progress("Reading", stream=stream) as progress:
        progress.stage("loading U-Net, 2 of 4")
        for done in range(1000):
            progress.update(done, 1000)
    assert stream.getvalue() == "loading U-Net, 2 of 4\n"
