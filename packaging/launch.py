"""What a bundle starts: the command line, and in other processes of the same bundle the modules that those run.

A bundle has no `python`, and GPSDream starts its engine, trainers and photo readers as `sys.executable -m MODULE`. So
the bundle's program understands that much of Python's own command line, for GPSDream's modules alone.
"""

from __future__ import annotations

import multiprocessing
import runpy
import sys

IGNORED = ("-P", "-I", "-B", "-u", "-s", "-E")  # switches of Python that make no difference in a bundle


def main(argv: list[str]) -> int:
    """Do what a command line of Python's or of GPSDream's asks for, and return the exit code."""
    rest = list(argv)
    while rest and rest[0] in IGNORED:
        del rest[0]
    if len(rest) > 1 and rest[0] == "-m" and rest[1].split(".")[0] == "gpsdream_app":
        sys.argv = rest[1:]
        runpy.run_module(rest[1], run_name="__main__", alter_sys=True)
        return 0
    if len(rest) > 1 and rest[0] == "-c":  # the doctor's probes
        sys.argv = rest[:1] + rest[2:]
        exec(compile(rest[1], "<probe>", "exec"), {"__name__": "__main__"})
        return 0
    from gpsdream_app.cli import main as command_line

    return command_line(argv)


if __name__ == "__main__":
    multiprocessing.freeze_support()
    sys.exit(main(sys.argv[1:]))
