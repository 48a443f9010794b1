"""A ZIP for a bug report: checks, versions and logs, with nothing in it that is a person's own.

Private words cannot be told from others, so nothing free is let through: of the logs only sentences that stand in the
program's own code are kept, with whatever was filled into them left out; of tracebacks the places in the code; of Qt's
messages those about the screen. What is left goes through a `Scrubber`.
"""

from __future__ import annotations

import contextlib
import getpass
import importlib.machinery
import importlib.metadata
import io
import json
import os
import platform
import re
import socket
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import CodeType

import gpsdream_app
from gpsdream_app import __version__
from gpsdream_app.domain.errors import GPSDreamError
from gpsdream_app.domain.resources import resources_dir
from gpsdream_app.library import paths
from gpsdream_app.library.doctor import Check

LOG_BYTES = 400_000  # of the end of each log
LEFT_OUT = "(left out)"
FILLED_IN = "…"
FEWEST_LETTERS = 8  # of a sentence's own letters; shorter ones fit anything
# Variables of the environment that change what is drawn how. No other is told.
TOLD_VARIABLES = re.compile(
    r"(QT_(QPA_PLATFORM|QUICK_BACKEND|XCB_GL_INTEGRATION|OPENGL|SCALE_FACTOR|ENABLE_HIGHDPI_SCALING)|LIBGL_\w+|MESA_\w+"
    r"|GPSDREAM_(GRAPHICS|3D|MAP)|QTWEBENGINE_\w+|XDG_SESSION_TYPE|CUDA_VISIBLE_DEVICES|OMP_NUM_THREADS|PYTORCH_\w+)"
)
QT_ABOUT_THE_SCREEN = ("qt.qpa", "qt.rhi", "qt.opengl", "qt.webengine", "qt.quick", "qt.scenegraph", "qt.glx")

_RECORD = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) (?:\[(?P<pid>\d+)\] )?"
    r"(?:(?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL) (?P<logger>[\w.]+): )?(?P<message>.*)"
)
_OPEN_LOGGERS = re.compile(r"(qt|gpsdream_app|torch|diffusers|transformers)(\.\w+)*")
_FRAME = re.compile(r'\s*(?:File )"(?P<path>[^"]*)", line (?P<line>\d+)(?:,)? in (?P<name>[\w<>.]+)')
_RAISED = re.compile(
    r"(?P<kind>(?:\w+\.)*\w*(?:Error|Exception|Interrupt|Exit|Warning|Cancelled))(?::\s(?P<text>.*))?$"
)
_FATAL = re.compile(r"(Fatal Python error: [\w ]+|(Current thread|Thread) 0x[0-9a-f]+ .*\(most recent call first\):)$")
_HEADS = (
    "Traceback (most recent call last):",
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
)
_KNOWN_TEXTS = re.compile(
    r"(CUDA out of memory|CUDA error: [a-z ]+|MPS backend out of memory|No module named '[\w.]+'|\[Errno \d+\])"
)
_PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[-+ #0]*\d*(?:\.\d+)?[sdrfgxi]")
_COORDINATE = re.compile(r"(?<![\w.])[-+]?\d{1,3}\.\d{3,}(?![\w.])")
_PATH = re.compile(r"(?:(?<![A-Za-z])[A-Za-z]:[\\/]|\\\\|~?/)[^\s\"'“”<>|,;]*")
_QUOTED = re.compile(r"“[^”]*”|\"[^\"]*\"|(?<!\w)'[^']*'(?!\w)")
_INSIDE = re.compile(r"(?:^|[\\/])((?:gpsdream_app|PySide6|torch|diffusers|transformers|accelerate)[\\/].*)$")


class Scrubber:
    """Takes names, folders, coordinates and quotations out of a text."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        """Make one that also knows some `names` to take out, in any case of letters."""
        known = {name.strip() for name in (*_own_names(), *names)}
        ordered = sorted((name for name in known if len(name) > 2), key=len, reverse=True)
        self._names = re.compile("|".join(map(re.escape, ordered)), re.IGNORECASE) if ordered else None

    def __call__(self, text: str) -> str:
        """Return what is left."""
        text = _QUOTED.sub("“…”", text)
        text = _PATH.sub(lambda found: short_path(found.group()), text)
        if self._names:
            text = self._names.sub("<name>", text)
        return _COORDINATE.sub("<number>", text)


def _own_names() -> Iterator[str]:
    """Names that belong to this person or computer."""
    with contextlib.suppress(Exception):  # a system without such a thing
        yield getpass.getuser()
    with contextlib.suppress(OSError):
        yield socket.gethostname()
    yield platform.node()
    with contextlib.suppress(RuntimeError, OSError):
        home = Path.home()
        yield str(home)
        if home.name and home.parent != home:
            yield home.name
    with contextlib.suppress(GPSDreamError):
        yield str(paths.user_data_dir())
    yield os.environ.get(paths.HOME_VARIABLE, "")


def short_path(path: str) -> str:
    """Return the part of a path inside a known package; of another path nothing."""
    inside = _INSIDE.search(path)
    return inside.group(1).replace("\\", "/") if inside else "<path>"


# --- the program's own sentences --------------------------------------------------------------------------


def _strings(code: CodeType) -> Iterator[str]:
    for value in code.co_consts:
        if isinstance(value, str):
            yield value
        elif isinstance(value, CodeType):
            yield from _strings(value)


@cache
def _sentences() -> tuple[frozenset[str], tuple[tuple[re.Pattern[str], str], ...]]:
    """Sentences of the program's code: whole ones, and patterns with what to write in place of what was filled in."""
    whole: set[str] = set()
    patterns: dict[str, tuple[re.Pattern[str], str]] = {}
    folder = Path(gpsdream_app.__file__).parent
    for path in sorted(folder.rglob("*.py")):
        name = ".".join(("gpsdream_app", *path.relative_to(folder).with_suffix("").parts))
        with contextlib.suppress(ImportError, SyntaxError, OSError):
            code = importlib.machinery.SourceFileLoader(name, str(path)).get_code(name)
            for text in _strings(code) if code else ():
                parts = _PLACEHOLDER.split(text)
                if sum(map(str.isalpha, "".join(parts))) < FEWEST_LETTERS or "\n" in text:
                    continue
                if len(parts) == 1:
                    whole.add(text)
                else:
                    pattern = re.compile("(?:.*)".join(map(re.escape, parts)))
                    patterns[text] = pattern, FILLED_IN.join(parts)
    return frozenset(whole), tuple(patterns.values())


def known_sentence(message: str) -> str | None:
    """Return a message as far as it stands in the program's own code; None if it does not."""
    whole, patterns = _sentences()
    if message in whole:
        return message
    return next((told for pattern, told in patterns if pattern.fullmatch(message)), None)


def clean_log(text: str, scrub: Scrubber) -> str:
    """Return a log with only what may be told of it; see the top of this file."""
    return "\n".join(_clean_line(line, scrub) for line in text.splitlines()) + "\n"


def _clean_line(line: str, scrub: Scrubber) -> str:
    record = _RECORD.fullmatch(line)
    if record is None:
        return _clean_text(line, scrub)
    head = record["time"] + (f" [{record['pid']}]" if record["pid"] else "")
    if not record["level"]:
        return f"{head} {_clean_text(record['message'], scrub)}"
    logger = record["logger"] if _OPEN_LOGGERS.fullmatch(record["logger"]) else "other"
    message = known_sentence(record["message"])
    if message is None:
        about_screen = logger.startswith(QT_ABOUT_THE_SCREEN)
        message = scrub(record["message"]) if about_screen else LEFT_OUT
    return f"{head} {record['level']} {logger}: {message}"


def _clean_text(line: str, scrub: Scrubber) -> str:
    frame = _FRAME.match(line)
    if frame:
        return f'  File "{short_path(frame["path"])}", line {frame["line"]}, in {frame["name"]}'
    stripped = line.strip()
    if not stripped:
        return ""
    if stripped in _HEADS or _FATAL.fullmatch(stripped):
        return re.sub(r"0x[0-9a-f]+", "0x…", stripped)
    raised = _RAISED.match(stripped)
    if raised:
        text = raised["text"] or ""
        known = _KNOWN_TEXTS.match(text)
        told = known.group() if known else known_sentence(text) or (LEFT_OUT if text else "")
        return f"{raised['kind']}: {told}".rstrip(": ")
    return known_sentence(stripped) or LEFT_OUT


# --- the file ---------------------------------------------------------------------------------------------


def clean_checks(checks: Sequence[Check], scrub: Scrubber) -> str:
    """Return the doctor's checks as text; of models that did not come along nothing but how they are."""
    lines, others = [], 0
    embedded = {folder.name for folder in (resources_dir() / "models").glob("*")}
    for check in checks:
        name, text = check.name, check.text
        kind, _, model = name.partition(" ")
        if kind == "model" and model not in embedded:
            others += 1
            name, text = f"model {others}", LEFT_OUT
        lines.append(f"{check.status:<8} {scrub(name)}: {scrub(text)}")
        if check.hint:
            lines.append(f"{'':<8}   {scrub(check.hint)}")
    return "\n".join(lines) + "\n"


def _versions() -> str:
    found = {(one.metadata["Name"] or "").lower(): one.version for one in importlib.metadata.distributions()}
    lines = [f"{name} {version}" for name, version in sorted(found.items()) if re.fullmatch(r"[\w.-]+", name)]
    head = f"GPSDream {__version__}\nPython {platform.python_version()}\n{platform.platform(terse=True)}\n\n"
    return head + "\n".join(lines) + "\n"


def _environment(scrub: Scrubber) -> str:
    told = {name: scrub(value) for name, value in os.environ.items() if TOLD_VARIABLES.fullmatch(name)}
    return "".join(f"{name}={value}\n" for name, value in sorted(told.items())) or "nothing that matters is set\n"


def _logs() -> Iterator[tuple[str, str]]:
    for path in sorted(paths.log_dir().glob("*")):
        if path.suffix in (".log", ".txt") and re.fullmatch(r"[\w-]+\.(log|txt)", path.name):
            with contextlib.suppress(OSError), path.open("rb") as file:
                length = file.seek(0, io.SEEK_END)
                file.seek(max(0, length - LOG_BYTES))
                text = file.read().decode("utf-8", "replace")
                # The first line may be the second half of one.
                yield path.name, text if length <= LOG_BYTES else text.partition("\n")[2]


def diagnostics(checks: Sequence[Check], choices: Mapping[str, object] | None = None) -> dict[str, str]:
    """Return the files of a bug report by name. Takes some seconds with long logs.

    Args:
        checks: what the doctor found.
        choices: settings that a person chose among given ones; texts that are longer than a word are left out.
    """
    scrub = Scrubber()
    kept = {
        name: value
        for name, value in (choices or {}).items()
        if isinstance(value, bool | int | float | None) or _is_word(value)
    }
    files = {
        "READ ME.txt": (
            "What GPSDream found out about itself, for a bug report. It holds no prompts, places, pictures, names or\n"
            "folders; what might have been one is left out. Look through it before you send it: it is plain text.\n"
        ),
        "checks.txt": clean_checks(checks, scrub),
        "versions.txt": _versions(),
        "environment.txt": _environment(scrub),
        "settings.json": json.dumps(kept, indent=1, sort_keys=True, default=str) + "\n",
    }
    files |= {f"logs/{name}": clean_log(text, scrub) for name, text in _logs()}
    return files


def _is_word(value: object) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"[\w-]{1,20}", value))


def save_diagnostics(path: Path, checks: Sequence[Check], choices: Mapping[str, object] | None = None) -> Path:
    """Write the ZIP for a bug report, whole or not at all, and return where it is.

    Args:
        path: where to; `.zip` is added if it is missing.
        checks: as for `diagnostics`.
        choices: as for `diagnostics`.

    Raises:
        GPSDreamError: of kind `disk_full` if it cannot be written.
    """
    if path.suffix.lower() != ".zip":
        path = path.with_name(path.name + ".zip")
    part = path.with_name(path.name + ".part")
    files = diagnostics(checks, choices)
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in files.items():
                archive.writestr(name, text)
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise paths.storage_error(error, path, "the diagnostics were not saved") from error
    return path
