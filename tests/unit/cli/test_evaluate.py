"""`gpsdream evaluate`: arguments reach the process that measures, and its answers reach the person."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from gpsdream_app.cli import build_parser, main
from gpsdream_app.commands import evaluate
from gpsdream_app.domain.errors import ErrorKind, GPSDreamError

EVALUATOR = """
import json, pathlib, signal, sys, time
def say(**values):
    print(json.dumps(values), flush=True)
def stop(number, frame):
    say(cancelled=True)
    sys.exit(130)
signal.signal(signal.SIGTERM, stop)
out = pathlib.Path(next(a for a in sys.argv if a.startswith("--out=")).removeprefix("--out="))
print("a library's stray line", flush=True)
say(done=5, total=10, text="drawing", seconds_left=3.0)
if out.name == "wait":
    (out.parent / "waiting").touch()
    time.sleep(60)
if out.name == "fail":
    say(failed={"kind": "bad_request", "message": "It has seen them all.", "hint": "Say --seen-too."})
    sys.exit(2)
if out.name == "die":
    print("its last words", file=sys.stderr)
    sys.exit(9)
out.mkdir()
(out / "table.txt").write_text("the table\\n" + " ".join(sys.argv[1:]))
(out / "report.json").write_text(json.dumps({"schema": 1}))
say(report=str(out / "report.html"))
"""
COMMAND = (sys.executable, "-c", EVALUATOR)


def run(out: Path, *more: str) -> int:
    arguments = build_parser().parse_args(["evaluate", "--model=-m", "--photos", "p", "--out", str(out), *more])
    return evaluate.run(arguments, COMMAND)


def test_the_table_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "a report"
    code = run(out, "--quick", "--seen-too", "--word-places", "3", "--judges=--j")
    assert code == 0
    said = capsys.readouterr()
    given = f"--model=-m --photos=p --judges=--j --out={out} --word-places=3 --seed=0 --quick --seen-too"
    assert said.out == f"the table\n{given}\n"
    assert "report.html" in said.err


def test_json_is_the_report_and_its_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "out", "--json") == 0
    page = str(tmp_path / "out" / "report.html")
    assert json.loads(capsys.readouterr().out) == {"schema": 1, "page": page}


def test_failures_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(GPSDreamError) as raised:
        run(tmp_path / "fail")
    assert raised.value.failure.kind is ErrorKind.BAD_REQUEST
    assert raised.value.failure.message == "It has seen them all."
    with pytest.raises(GPSDreamError, match="without an answer") as raised:
        run(tmp_path / "die")
    assert "its last words" in raised.value.failure.details


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_cancels(tmp_path: Path) -> None:
    program = textwrap.dedent(f"""
        import sys
        from gpsdream_app.cli import build_parser
        from gpsdream_app.commands import evaluate
        given = ["evaluate", "--model", "m", "--photos", "p", "--out", {str(tmp_path / "wait")!r}]
        arguments = build_parser().parse_args(given)
        sys.exit(evaluate.run(arguments, (sys.executable, "-c", {EVALUATOR!r})))
    """)
    with subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True) as started:
        while not (tmp_path / "waiting").exists():
            assert started.poll() is None
        started.send_signal(signal.SIGINT)
        assert started.wait(30) == 130
        assert started.stderr is not None
        assert "no report was written" in started.stderr.read()


def test_the_real_process_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["evaluate", "--model", "no-such-model", "--photos", str(tmp_path), "--json"])
    assert code == 1
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "model_missing"


def test_the_evaluator_is_a_module_of_gpsdream() -> None:
    assert (sys.executable, "-m", "gpsdream_app.evaluation") == evaluate.EVALUATOR
