"""Settings on a real disk: read, written, migrated, and broken in every way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QByteArray, QSettings

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.domain.places import Place
from gpsdream_app.ui.settings import FILE_NAME, OLD_FILE_NAME, SPARE_SUFFIX, VERSION, Settings, Values
from gpsdream_app.ui.theme import ThemeChoice

FLATIRON = Place(40.74105, -73.98965, 119, "Fifth Avenue & E 23rd St")


def put(folder: Path, content: Any) -> None:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    (folder / FILE_NAME).write_bytes(text)


def test_everything_comes_back(tmp_path: Path) -> None:
    settings = Settings(tmp_path)
    settings.theme = ThemeChoice.DARK
    settings.less_motion = True
    settings.advanced_open = True
    settings.page = "library"
    settings.tour_seen = True
    settings.save_folder = tmp_path
    settings.photos_folder = tmp_path
    settings.geometry = QByteArray(b"\0\1\2\xff")
    settings.splitter = QByteArray(b"split")
    settings.place = FLATIRON
    settings.view = (40.76, -73.975, 15.0)
    settings.neighbourhoods = '{"a": "ü"}'
    settings.landmarks = "[]"
    settings.save()
    again = Settings(tmp_path)
    assert again.theme is ThemeChoice.DARK
    assert (again.less_motion, again.advanced_open, again.page, again.tour_seen) == (True, True, "library", True)
    assert (again.save_folder, again.photos_folder) == (tmp_path, tmp_path)
    assert (again.geometry.data(), again.splitter.data()) == (b"\0\1\2\xff", b"split")
    assert again.place == FLATIRON
    assert again.view == (40.76, -73.975, 15.0)
    assert (again.neighbourhoods, again.landmarks) == ('{"a": "ü"}', "[]")
    assert again.ignored == ()
    assert json.loads((tmp_path / FILE_NAME).read_text())["version"] == VERSION
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_nothing_is_written_before_something_changes(tmp_path: Path) -> None:
    settings = Settings(tmp_path)
    settings.save()
    assert not (tmp_path / FILE_NAME).exists()
    told: list[str] = []
    settings.on_change = lambda: told.append("changed")
    settings.theme = ThemeChoice.DARK
    settings.theme = ThemeChoice.DARK
    assert told == ["changed"]


def test_one_wrong_value_falls_back_alone(tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "version": 1,
            "theme": "purple",
            "less_motion": True,
            "place": {"lat": 91, "lon": 0},
            "view": [1, 2],
            "page": 7,
        },
    )
    settings = Settings(tmp_path)
    assert settings.theme is ThemeChoice.SYSTEM
    assert settings.less_motion is True
    assert (settings.place, settings.view, settings.page) == (None, None, "explore")
    assert settings.ignored == ("page", "place", "theme", "view")


WRONG: list[Any] = [None, [], {}, "x", "<script>", -1, 1e308, "\0", "\u202e", [[1]], {"a": 1}, "a" * 5000]


@pytest.mark.parametrize("name", Values.model_fields)
def test_no_value_of_the_file_can_break_the_start(tmp_path: Path, name: str) -> None:
    for wrong in WRONG:
        other = "advanced_open" if name != "advanced_open" else "tour_seen"
        put(tmp_path, {"version": 1, name: wrong, other: True})
        settings = Settings(tmp_path)
        assert getattr(settings, other) is True
        getattr(settings, name)
        settings.theme = ThemeChoice.LIGHT
        settings.write()
        assert Settings(tmp_path).theme is ThemeChoice.LIGHT


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe\0", b"null", b"[" * 100_000, b'{"version": 1e999}'])
def test_a_file_that_is_none_is_kept_aside(tmp_path: Path, content: bytes) -> None:
    put(tmp_path, content)
    settings = Settings(tmp_path)
    assert settings.theme is ThemeChoice.SYSTEM
    settings.theme = ThemeChoice.DARK
    settings.save()
    assert Settings(tmp_path).theme is ThemeChoice.DARK
    spare = tmp_path / (FILE_NAME + SPARE_SUFFIX)
    assert not spare.exists() or spare.read_bytes() == content
    assert spare.exists() == (content != b'{"version": 1e999}')


@given(content=st.binary(max_size=200))
def test_any_bytes_start_with_defaults(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("settings")
    put(folder, content)
    assert Settings(folder).theme is ThemeChoice.SYSTEM


def test_a_newer_version_keeps_what_this_one_does_not_know(tmp_path: Path) -> None:
    put(tmp_path, {"version": 99, "theme": "dark", "hologram": {"depth": 3}})
    settings = Settings(tmp_path)
    assert settings.theme is ThemeChoice.DARK
    settings.less_motion = False
    settings.save()
    assert json.loads((tmp_path / FILE_NAME).read_text())["hologram"] == {"depth": 3}


def test_the_old_ini_file_is_taken_over(tmp_path: Path) -> None:
    old = QSettings(str(tmp_path / OLD_FILE_NAME), QSettings.Format.IniFormat)
    for name, value in (
        ("theme", "dark"),
        ("less_motion", "no"),
        ("advanced_open", "yes"),
        ("geometry", QByteArray(b"\1\2")),
        ("place", json.dumps(FLATIRON.to_dict())),
        ("view", "[40.7, -74.0, 14]"),
        ("neighbourhoods", '{"region": "harlem"}'),
        ("landmarks", ""),
    ):
        old.setValue(name, value)
    old.sync()
    settings = Settings(tmp_path)
    assert settings.theme is ThemeChoice.DARK
    assert (settings.less_motion, settings.advanced_open, settings.tour_seen) == (False, True, True)
    assert settings.geometry.data() == b"\1\2"
    assert (settings.place, settings.view) == (FLATIRON, (40.7, -74.0, 14.0))
    assert settings.neighbourhoods == '{"region": "harlem"}'
    settings.theme = ThemeChoice.LIGHT
    settings.save()
    assert Settings(tmp_path).theme is ThemeChoice.LIGHT
    assert Settings(tmp_path).place == FLATIRON


def test_the_environment_holds_for_one_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPSDREAM_WINDOW_THEME", "dark")
    monkeypatch.setenv("GPSDREAM_WINDOW_PAGE", "the moon")
    settings = Settings(tmp_path)
    assert settings.theme is ThemeChoice.DARK
    assert settings.ignored == ("page",)
    settings.advanced_open = True
    settings.save()
    monkeypatch.undo()
    again = Settings(tmp_path)
    assert (again.theme, again.advanced_open) == (ThemeChoice.SYSTEM, True)


def test_a_disk_that_refuses_is_a_sentence_and_the_next_try_writes(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    settings = Settings(folder)
    settings.theme = ThemeChoice.DARK
    with pytest.raises(GPSDreamError) as caught:
        settings.write()
    assert caught.value.failure.kind is ErrorKind.DISK_FULL
    assert "settings were not saved" in caught.value.failure.message
    settings.save()
    folder.mkdir()
    settings.save()
    assert Settings(folder).theme is ThemeChoice.DARK


def test_defaults_come_back_and_can_be_taken_back(tmp_path: Path) -> None:
    settings = Settings(tmp_path)
    settings.theme = ThemeChoice.DARK
    settings.place = FLATIRON
    before = settings.choices()
    settings.take(Values().model_dump())
    assert settings.theme is ThemeChoice.SYSTEM
    assert settings.place == FLATIRON
    settings.take(before)
    assert settings.theme is ThemeChoice.DARK
    with pytest.raises(ValueError, match="theme"):
        settings.take({"theme": "purple"})
