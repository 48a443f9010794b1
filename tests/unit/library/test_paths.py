from __future__ import annotations

import errno
from pathlib import Path

import pytest

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.library import paths


def test_everything_lies_under_the_folder_that_the_variable_names(gpsdream_home: Path) -> None:
    folders = [paths.user_data_dir(), paths.pictures_dir(), paths.models_dir(), paths.log_dir(), paths.cache_dir()]
    assert all(folder.is_dir() for folder in folders)
    assert len(set(folders)) == 5
    for path in (*folders, paths.library_path(), paths.catalogue_path()):
        assert path == gpsdream_home or gpsdream_home in path.parents


def test_without_the_variable_the_system_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GPSDREAM_HOME")
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / name))
    for folder in (paths.user_data_dir(), paths.cache_dir(), paths.log_dir()):
        assert "GPSDream" in str(folder)
        assert tmp_path in folder.parents


def test_a_relative_folder_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GPSDREAM_HOME", "here")
    assert paths.user_data_dir() == tmp_path / "here"


def test_a_folder_that_cannot_be_made_gives_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GPSDREAM_HOME", str(tmp_path / "file" / "folder"))
    with pytest.raises(GPSDreamError, match="was not created") as caught:
        paths.pictures_dir()
    assert caught.value.failure.kind is ErrorKind.DISK_FULL
    assert caught.value.failure.hint


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO])
def test_storage_errors_are_sentences(number: int) -> None:
    failure = paths.storage_error(OSError(number, "What it says"), "/x", "it was not saved").failure
    assert failure.kind is ErrorKind.DISK_FULL
    assert failure.message.endswith(": it was not saved.")
    assert failure.hint.endswith(".")


def test_names_of_pictures_sort_by_time_and_tell_no_place(tmp_path: Path) -> None:
    path = paths.new_picture_path(tmp_path, "2026-11-20T10:44:11.123456+00:00", "0123456789abcdef" * 2)
    assert path == tmp_path / "2026-11" / "2026-11-20 104411 0123456789ab.png"
