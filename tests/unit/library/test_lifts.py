"""Lifts on the disk: found again, listed, removed and restored; how long one will take."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gpsdream_app.domain.errors import GPSDreamError
from gpsdream_app.domain.landmarks import LANDMARKS
from gpsdream_app.domain.lifts import LiftMethod, LiftRequest, LiftResult
from gpsdream_app.library import lifts

HASH = "0123456789abcdef"


def made(request: LiftRequest, created: str = "2026-01-01T00:00:00+00:00", **values: object) -> LiftResult:
    folder = lifts.lift_folder(request, HASH)
    lifts.begin_lift(request, folder)
    (folder / lifts.DENSITY_FILE).write_bytes(b"numbers")
    result = LiftResult(
        folder.name, "job", request, str(folder), created, 10.0, "Model", HASH, "1", (1.0, 2.0, 3.0), 12, True, 0.5
    )
    result = replace(result, **values)  # type: ignore[arg-type]
    lifts.save_result(result)
    return result


def test_a_finished_lift_is_found_by_request_and_weights() -> None:
    request = LiftRequest(LANDMARKS[0])
    assert lifts.find_lift(request, HASH) is None
    result = made(request)
    assert lifts.find_lift(request, HASH) == result
    assert lifts.find_lift(replace(request, seed=1), HASH) is None
    assert lifts.find_lift(request, "f" * 16) is None
    assert lifts.find_lift(replace(request, model="elsewhere"), HASH) == result, "weights count, not where they lie"


def test_one_kept_early_is_listed_and_can_go_on() -> None:
    result = made(LiftRequest(LANDMARKS[0]), kept_early=True)
    assert lifts.list_lifts() == [result]
    assert lifts.find_lift(result.request, HASH) is None


def test_lists_have_the_newest_first_and_pass_over_what_is_broken() -> None:
    old = made(LiftRequest(LANDMARKS[0]))
    new = made(LiftRequest(LANDMARKS[1]), created="2026-02-01T00:00:00+00:00")
    broken = made(LiftRequest(LANDMARKS[2]))
    (Path(broken.folder) / lifts.RESULT_FILE).write_text("{", encoding="utf-8")
    hollow = made(LiftRequest(LANDMARKS[3]))
    (Path(hollow.folder) / lifts.DENSITY_FILE).unlink()
    (lifts.lifts_dir() / "stray").write_text("", encoding="utf-8")
    assert lifts.list_lifts() == [new, old]
    with pytest.raises(GPSDreamError):
        lifts.read_lift(Path(broken.folder))


def test_unfinished_lifts_are_known_by_their_request() -> None:
    request = LiftRequest(LANDMARKS[4], seed=7)
    lifts.begin_lift(request, lifts.lift_folder(request, HASH))
    (one,) = lifts.list_unfinished()
    assert one.request == request
    lifts.discard_unfinished(one)
    assert lifts.list_unfinished() == []


def test_removing_can_be_undone_until_it_is_forgotten() -> None:
    result = made(LiftRequest(LANDMARKS[0]))
    lifts.remove_lift(result)
    assert lifts.list_lifts() == [] and lifts.list_unfinished() == []
    lifts.restore_lift(result)
    assert lifts.list_lifts() == [result]
    lifts.remove_lift(result)
    lifts.forget_removed()
    with pytest.raises(GPSDreamError):
        lifts.restore_lift(result)
    assert list(lifts.lifts_dir().iterdir()) == []


def test_a_moved_folder_knows_where_it_is(tmp_path: Path) -> None:
    result = made(LiftRequest(LANDMARKS[0]))
    target = tmp_path / "elsewhere" / result.id
    target.parent.mkdir()
    Path(result.folder).rename(target)
    assert lifts.list_lifts(target.parent)[0].folder == str(target)


def test_past_lifts_tell_how_long_the_next_one_takes() -> None:
    request = LiftRequest(LANDMARKS[0])
    typical, known = lifts.expected_seconds(request, [])
    assert typical == lifts.TYPICAL_SECONDS[request.method][request.quality] and not known
    past = [made(replace(request, seed=number), seconds=seconds) for number, seconds in enumerate((50.0, 60.0, 100.0))]
    assert lifts.expected_seconds(request, past) == (60.0, True)
    other, known = lifts.expected_seconds(replace(request, method=LiftMethod.SDS), past)
    assert other == pytest.approx(300.0 * 60.0 / typical) and not known
