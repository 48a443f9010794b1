"""Overlays: what is bright in the map is bright on the picture, whatever the word."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from gpsdream_app.export.overlays import SIDE, contact_sheet, overlay

CORNER = ((1.0, 0.0), (0.0, 0.0))


def test_the_map_lies_on_the_picture_the_right_way_round() -> None:
    tile = overlay(Image.new("RGB", (64, 32), (128, 128, 128)), CORNER, "tree", "3 %", "1 %", "9 %")
    assert tile.width == SIDE
    assert tile.height > SIDE / 2
    brightness = np.asarray(tile.convert("L"), dtype=float)[: SIDE // 2]
    corners = [brightness[y, x] for y in (10, -10) for x in (10, -10)]
    assert corners[0] > max(corners[1:]) + 30


def test_without_a_map_the_picture_stays_as_it_is() -> None:
    picture = Image.effect_noise((SIDE, SIDE), 60).convert("RGB")
    tile = overlay(picture, None, "", "")
    assert np.array_equal(np.asarray(tile)[:SIDE], np.asarray(picture))


@pytest.mark.parametrize("label", ["", "x" * 500, "two\nlines\t\0", "église дом 家 \u202e", "<b>&amp;"])
def test_any_word_can_stand_below(label: str) -> None:
    plain = overlay(Image.new("RGB", (16, 16)), CORNER, "tree", "")
    assert overlay(Image.new("RGB", (16, 16)), CORNER, label, label, label[:10], label[:10]).size == plain.size


@pytest.mark.parametrize("count", [1, 3, 4, 9])
def test_the_sheet_has_room_for_all(count: int) -> None:
    tiles = [overlay(Image.new("RGB", (32, 32), (250, 0, 0)), None, str(number), "") for number in range(count)]
    sheet = np.asarray(contact_sheet(tiles))
    assert (sheet == (250, 0, 0)).all(axis=-1).sum() == pytest.approx(count * (SIDE // 2) ** 2, rel=0.02)
