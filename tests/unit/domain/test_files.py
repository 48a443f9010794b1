from __future__ import annotations

from pathlib import Path

import pytest

from gpsdream_app.domain.files import whole_file


def test_a_file_is_replaced_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "new" / "film.mp4"
    with whole_file(target, ".mp4") as temporary:
        assert temporary.parent == target.parent
        assert temporary.suffix == ".mp4"
        assert not target.exists()
        temporary.write_bytes(b"first")
    assert target.read_bytes() == b"first"
    with whole_file(target) as temporary:
        temporary.write_bytes(b"second")
        assert target.read_bytes() == b"first"
    assert target.read_bytes() == b"second"
    assert list(target.parent.iterdir()) == [target]


def test_a_file_stays_as_it_was_if_writing_fails(tmp_path: Path) -> None:
    target = tmp_path / "map.html"
    target.write_bytes(b"before")
    with pytest.raises(RuntimeError, match="stopped"), whole_file(target) as temporary:
        temporary.write_bytes(b"half")
        raise RuntimeError("stopped")
    with pytest.raises(OSError), whole_file(target):
        pass  # nothing was written
    assert target.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [target]


def test_a_disk_that_refuses_is_an_error_of_the_system(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError), whole_file(tmp_path / "file" / "map.html"):
        pass
