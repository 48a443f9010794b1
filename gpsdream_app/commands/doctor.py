"""`gpsdream doctor`: print the checks of an installation."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from gpsdream_app.commands import terminal
from gpsdream_app.library.diagnostics import save_diagnostics
from gpsdream_app.library.doctor import Status, checks


def run(arguments: argparse.Namespace) -> int:
    """Check everything and return 0, or 1 if something is broken."""
    found = []
    for check in checks():
        found.append(check)
        if not arguments.json:
            terminal.say(f"{check.status:<8} {check.name}: {check.text}")
            if check.hint:
                terminal.say(f"{'':<8}   {check.hint}")
    if arguments.save:
        saved = save_diagnostics(Path(arguments.save), found)
        if not arguments.json:
            terminal.say(f"\nSaved for a bug report, with nothing private in it: {saved}")
    broken = [check for check in found if check.status is Status.BROKEN]
    if arguments.json:
        terminal.say_json({"ok": not broken, "checks": [asdict(check) for check in found]})
    else:
        warnings = sum(check.status is Status.WARNING for check in found)
        terminal.say(f"\n{len(found)} checks, {warnings} warnings, {len(broken)} broken")
    return terminal.FAILED if broken else terminal.OK
