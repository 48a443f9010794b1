from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from gpsdream_app.photos.records import Outcome, Reason
from gpsdream_app.photos.walk import walk


def seen(root: Path) -> tuple[list[str], dict[str, Reason]]:
    files: list[str] = []
    outcomes: dict[str, Reason] = {}
    for item in walk(root):
        if isinstance(item, Outcome):
            outcomes[str(item.path.relative_to(root))] = item.reason
        else:
            files.append(str(Path(item).relative_to(root)))
    return files, outcomes


def test_files_come_in_order_and_before_subfolders(tmp_path: Path) -> None:
    for name in ("b.jpg", "a/z.jpg", "a/b/c.jpg", "c/x.jpg", "a.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    expected = ["a.jpg", "b.jpg", "a/z.jpg", "a/b/c.jpg", "c/x.jpg"]
    assert seen(tmp_path) == ([name.replace("/", os.sep) for name in expected], {})


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_links(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "inside").mkdir(parents=True)
    (root / "inside" / "a.jpg").touch()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "b.jpg").touch()
    (tmp_path / "outside" / "back").symlink_to(root)
    (root / "above").symlink_to(tmp_path)
    (root / "again").symlink_to(root / "inside")
    (root / "disk").symlink_to("/")
    (root / "file.jpg").symlink_to(root / "inside" / "a.jpg")
    (root / "nowhere").symlink_to(tmp_path / "absent")
    (root / "out").symlink_to(tmp_path / "outside")
    (root / "out2").symlink_to(tmp_path / "outside")
    (root / "self").symlink_to(root / "self")
    files, outcomes = seen(root)
    assert files == ["file.jpg", "inside/a.jpg", "out/b.jpg"]
    assert outcomes == {
        "above": Reason.LINK_LOOP,
        "again": Reason.LINK_LOOP,
        "disk": Reason.LINK_LOOP,
        "nowhere": Reason.BROKEN_LINK,
        "self": Reason.BROKEN_LINK,
        "out/back": Reason.LINK_LOOP,
        "out2": Reason.LINK_LOOP,
    }


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_pipes_and_hidden_folders(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / ".thumbnails").mkdir()
    (tmp_path / ".thumbnails" / "a.jpg").touch()
    (tmp_path / ".hidden.jpg").touch()
    assert seen(tmp_path) == ([".hidden.jpg"], {"pipe.jpg": Reason.NOT_A_FILE, ".thumbnails": Reason.HIDDEN_FOLDER})


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names that are not text")
def test_names_that_are_not_text(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.jpg")).touch()
    (tmp_path / "good\n\x1b[31m.jpg").touch()
    files, outcomes = seen(tmp_path)
    assert files == ["good\n\x1b[31m.jpg"]
    assert outcomes == {"caf\\udce9.jpg": Reason.BAD_NAME}


def test_folders_that_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shut").mkdir()
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "a.jpg").touch()
    scandir = os.scandir

    def refuse(folder: str) -> object:  # the tests may run as root, whom nothing is shut to
        if folder.endswith("shut"):
            raise PermissionError(13, "Permission denied", folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    assert seen(tmp_path) == ([str(Path("open") / "a.jpg")], {"shut": Reason.UNREADABLE_FOLDER})


def test_a_walk_stops_when_told(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    assert list(walk(tmp_path, lambda: True)) == []
