from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpsdream_app.photos.records import (
    Frontage,
    HeadingReference,
    Outcome,
    PhotoRecord,
    PlaceSource,
    Reason,
    clean_text,
)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("  a \r\n\t b ", "a b"),
        ("\x1b[2Jgone\x07", "[2Jgone"),
        ("right \u202eleft\u2066", "right left"),
        ("e\u0301", "é"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("\ud800x\ue000", "x"),
        ("<b>'--\"</b>", "<b>'--\"</b>"),
        (None, "None"),
    ],
)
def test_clean_text(text: object, clean: str) -> None:
    assert clean_text(text) == clean


@given(st.text(), st.integers(1, 20))
def test_clean_text_is_one_short_line(text: str, limit: int) -> None:
    clean = clean_text(text, limit)
    assert len(clean) <= limit
    assert clean == clean.strip()
    assert all(character.isprintable() or character in "\u200c\u200d" for character in clean)


def test_a_record_survives_json() -> None:
    record = PhotoRecord(
        path=Path("/photos/ä.jpg").absolute(),
        lat=40.5,
        lon=-73.5,
        heading=290.0,
        heading_reference=HeadingReference.MAGNETIC,
        place_source=PlaceSource.SIDECAR,
        taken="1911-01-01T00:00:00",
        focal_length_35mm=28.0,
        width=3,
        height=2,
        orientation=6,
        caption="a",
        tags=("b", "c"),
        source="/photos/whole.jpg",
        size=5,
        mtime=6,
        phash="0" * 16,
        frontage=Frontage(1.0, 2.0, 3.0, 4.0),
    )
    assert PhotoRecord.from_dict(json.loads(json.dumps(record.to_dict()))) == record
    bare = PhotoRecord(Path("/a.jpg").absolute(), 1.0, 2.0)
    assert PhotoRecord.from_dict(json.loads(json.dumps(bare.to_dict()))) == bare


def test_every_reason_is_a_sentence() -> None:
    for reason in Reason:
        assert reason.sentence[0].isupper()
        assert reason.sentence.endswith(".")
    assert Outcome(Path("/a"), Reason.OUT_OF_RANGE, "latitude 91").sentence.endswith("(latitude 91)")


def test_the_documentation_has_every_reason(root: Path) -> None:
    text = (root / "docs" / "photos.md").read_text(encoding="utf-8")
    for reason in Reason:
        assert f"| `{reason.value}` | {reason.sentence} |" in text
