"""Run the benchmarks and print a table: `python packaging/dev.py bench [NAME ...] [--json] [--write]`."""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import os
import platform
import sys
from dataclasses import asdict
from pathlib import Path

import psutil
from measuring import Figure

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- figures: written by bench --write -->", "<!-- end of figures -->"
BENCHMARKS = ("command_line", "window", "drawing", "averages", "walks", "photos", "library")


def machine() -> str:
    """Return the processor and memory in a line."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        name = models[0] if models else name
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}, {cores} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB, {platform.system()}"


def as_text(value: float, unit: str) -> str:
    """Return a figure with as many digits as mean something."""
    return f"{value:,.0f} {unit}" if unit in ("MiB", "per s") else f"{value:.2f} {unit}"


def table(figures: list[Figure]) -> str:
    """Return the figures as a Markdown table."""
    lines = ["| what | figure | limit | how |", "|---|---|---|---|"]
    for figure in figures:
        limit = "" if figure.limit is None else as_text(figure.limit, figure.unit)
        mark = "" if figure.good else " **missed**"
        lines.append(f"| {figure.name} | {as_text(figure.value, figure.unit)}{mark} | {limit} | {figure.note} |")
    return "\n".join(lines)


def write(figures: list[Figure], names: list[str]) -> None:
    """Put the table into docs/performance.md, with the date, the machine and the command."""
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    command = " ".join(["python packaging/dev.py bench", *(names if names != list(BENCHMARKS) else []), "--write"])
    about = f"Measured on {datetime.date.today():%d %B %Y} with `{command}` on: {machine()}."
    PAGE.write_text(f"{head}{BEGIN}\n\n{about}\n\n{table(figures)}\n\n{END}{tail}", encoding="utf-8")


def main() -> int:
    """Run what was asked for; the exit code is 1 if a limit was missed."""
    parser = argparse.ArgumentParser(prog="dev.py bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(BENCHMARKS)} (all)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.relative_to(ROOT)}")
    options = parser.parse_args()
    names = options.names or list(BENCHMARKS)
    unknown = sorted(set(names) - set(BENCHMARKS))
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}")
    figures: list[Figure] = []
    for name in names:
        print(f"gpsdream: measuring {name}", file=sys.stderr, flush=True)
        figures += importlib.import_module(name).measure()
    if options.json:
        print(json.dumps({"machine": machine(), "figures": [asdict(figure) for figure in figures]}, indent=1))
    else:
        print(table(figures))
    if options.write:
        write(figures, names)
    return 0 if all(figure.good for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
