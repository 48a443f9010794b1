"""How much memory the engine gives a model, what it does when there is none left, and when it lets go."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gpsdream_app.domain.errors import LESS_MEMORY, ErrorKind
from gpsdream_app.domain.events import Failed, Finished, Loading
from gpsdream_app.domain.memory import AUTO, MIB, MemoryPreset, choose_preset, memory_needed
from gpsdream_app.domain.places import Place
from gpsdream_app.domain.requests import GenerateRequest
from gpsdream_app.engine.client import ProcessEngine
from gpsdream_app.engine.memory import MemoryRule, memory_of, runs_on_gpu
from gpsdream_app.library.machine import Memory, computer_memory, weights_bytes
from tests.engine.recorder import PATIENCE, Recorder
from tests.engine.stand_in import COMMAND, make_model

GIB = 1 << 30


@pytest.fixture
def engine() -> Iterator[ProcessEngine]:
    engine = ProcessEngine(command=COMMAND)
    yield engine
    engine.shutdown()


@pytest.fixture
def ask(tmp_path: Path) -> GenerateRequest:
    return GenerateRequest(Place(40.7405, -73.9895), steps=2, model=str(make_model(tmp_path / "model")))


# --- the rule ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("on_gpu", [True, False])
def test_every_preset_needs_less_than_the_one_before(on_gpu: bool) -> None:
    needs = [memory_needed(preset, 2 * GIB, on_gpu=on_gpu) for preset in MemoryPreset]
    assert needs == sorted(needs, reverse=True)
    assert len(set(needs)) == len(needs)
    for preset, need in zip(MemoryPreset, needs, strict=True):
        assert choose_preset(need, 2 * GIB, on_gpu=on_gpu) is preset
    assert choose_preset(0, 2 * GIB, on_gpu=on_gpu) is MemoryPreset.LOW
    assert choose_preset(100 * GIB, 1, highest=MemoryPreset.BALANCED) is MemoryPreset.BALANCED


def test_auto_takes_what_fits_and_steps_down_after_running_out(tmp_path: Path) -> None:
    model = make_model(tmp_path / "model")
    free = GIB
    rule = MemoryRule(measure=lambda device: Memory(8 * GIB, free))
    assert rule.preset_for(model, "cpu") is MemoryPreset.FULL
    assert rule.ran_out(MemoryPreset.FULL) is MemoryPreset.BALANCED
    assert rule.preset_for(model, "cpu") is MemoryPreset.BALANCED
    assert rule.ran_out(MemoryPreset.BALANCED) is MemoryPreset.LOW
    assert rule.ran_out(MemoryPreset.LOW) is None
    assert rule.ran_out(MemoryPreset.FULL) is MemoryPreset.BALANCED
    assert rule.preset_for(model, "cpu") is MemoryPreset.LOW  # it never steps up by itself
    rule.take("full", 0)
    assert rule.preset_for(model, "cpu") is MemoryPreset.FULL  # what a person chose stays
    assert rule.rest_seconds is None
    rule.take(AUTO, 2)
    free = 10 * MIB
    assert rule.preset_for(model, "cpu") is MemoryPreset.LOW
    assert rule.rest_seconds == 120


@pytest.mark.parametrize("nonsense", ["fast", "", None, 3, [], "FULL"])
def test_nonsense_changes_nothing(nonsense: object) -> None:
    rule = MemoryRule("low", 3)
    rule.take(nonsense, nonsense if nonsense != 3 else -1)
    assert (rule.choice, rule.rest_minutes) == ("low", 3)


def test_a_container_has_no_more_than_its_limit(tmp_path: Path) -> None:
    whole = computer_memory(tmp_path / "none")
    assert 0 < whole.free <= whole.total
    (tmp_path / "memory.max").write_text("104857600\n")
    (tmp_path / "memory.current").write_text("62914560\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 10485760\n")
    assert computer_memory(tmp_path) == Memory(100 * MIB, 50 * MIB)
    (tmp_path / "memory.max").write_text("max\n")
    assert computer_memory(tmp_path).total == whole.total
    assert memory_of("cpu").total == computer_memory().total
    assert not runs_on_gpu("cpu")
    assert runs_on_gpu("cuda:1")


def test_weights_are_counted(tmp_path: Path) -> None:
    assert weights_bytes(make_model(tmp_path / "model")) > 8
    assert weights_bytes(tmp_path / "none") == 0


# --- the process ------------------------------------------------------------------------------------------


def preset_of(engine: ProcessEngine) -> str:
    status = engine.status(PATIENCE)
    assert status
    return str(status["preset"])


def test_what_a_person_chooses_is_what_the_next_model_is_loaded_with(
    engine: ProcessEngine, ask: GenerateRequest
) -> None:
    seen = Recorder(engine)
    engine.use_memory("low", 0)
    assert isinstance(seen.end_of(engine.submit(ask)), Finished)
    assert preset_of(engine) == "low"
    engine.use_memory("balanced", 0)
    assert isinstance(seen.end_of(engine.submit(ask)), Finished)
    assert preset_of(engine) == "balanced"
    # A child that takes the place of another is told again.
    job = engine.submit(replace(ask, prompt="die=1"))
    failure = seen.end_of(job).failure
    assert failure.kind is ErrorKind.ENGINE_DIED
    assert failure.remedy == LESS_MEMORY  # killed from outside, as a system does when memory is short
    assert isinstance(seen.end_of(engine.submit(ask)), Finished)
    assert preset_of(engine) == "balanced"


@pytest.mark.parametrize("how", ["memory", "python-memory"])
def test_running_out_frees_everything_and_offers_the_next_preset(
    engine: ProcessEngine, ask: GenerateRequest, how: str
) -> None:
    seen = Recorder(engine)
    engine.use_memory(AUTO, 0)
    for following in ("balanced", "low"):
        end = seen.end_of(engine.submit(replace(ask, prompt=f"fail=1 how={how}")))
        assert isinstance(end, Failed)
        assert end.failure.kind is ErrorKind.OUT_OF_MEMORY
        assert end.failure.remedy == LESS_MEMORY
        assert f"“{following}”" in end.failure.hint
        assert preset_of(engine) == ""  # nothing is loaded any more
        job = engine.submit(ask)
        assert isinstance(seen.end_of(job), Finished)
        assert seen.first(Loading, job)
        assert preset_of(engine) == following
    end = seen.end_of(engine.submit(replace(ask, prompt=f"fail=1 how={how}")))
    assert end.failure.remedy == ""
    assert "smaller model" in end.failure.hint


def test_a_model_that_nobody_uses_is_unloaded_and_comes_back(engine: ProcessEngine, ask: GenerateRequest) -> None:
    seen = Recorder(engine)
    engine.use_memory("full", 0.001)
    assert isinstance(seen.end_of(engine.submit(ask)), Finished)
    end = time.monotonic() + PATIENCE
    while preset_of(engine):
        assert time.monotonic() < end
        time.sleep(0.02)
    job = engine.submit(ask)
    assert isinstance(seen.end_of(job), Finished)
    assert seen.first(Loading, job)
    engine.use_memory("full", 0)
    assert isinstance(seen.end_of(engine.submit(ask)), Finished)
    time.sleep(0.3)
    assert preset_of(engine) == "full"
