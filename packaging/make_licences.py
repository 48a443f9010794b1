"""List the licences of everything that runs with GPSDream, from what is installed: resources/licences.txt.

python packaging/make_licences.py            write the list
python packaging/make_licences.py --check    say what has changed, and end with 1 if something has
"""

from __future__ import annotations

import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "resources" / "licences.txt"
HEAD = """Licences of everything that runs with GPSDream
==============================================

GPSDream itself: MIT. The packages below are separate and replaceable, and GPSDream contains no code of theirs.
Each of them brings the text of its licence in its own folder (NAME-VERSION.dist-info).
Base models that are downloaded have licences of their own; the Models page names them.

"""
# Where a package's own metadata says too little or too much. Names as in `plain`.
KNOWN = {
    "pillow-heif": "BSD-3-Clause (its wheels carry libheif and libde265, LGPL-3.0, and x265, GPL-2.0)",
    "pyside6": "LGPL-3.0-only OR GPL-2.0-only OR GPL-3.0-only (QtWebEngine contains Chromium, BSD and others)",
    "pyside6-addons": "LGPL-3.0-only OR GPL-2.0-only OR GPL-3.0-only",
    "pyside6-essentials": "LGPL-3.0-only OR GPL-2.0-only OR GPL-3.0-only",
    "pyside6-pdf": "LGPL-3.0-only OR GPL-2.0-only OR GPL-3.0-only",
    "pyside6-webengine": "LGPL-3.0-only OR GPL-2.0-only OR GPL-3.0-only",
    "shiboken6": "LGPL-3.0-only OR GPL-2.0-only OR GPL-3.0-only",
    "xstatic-leaflet": "MIT (the package); Leaflet: BSD-2-Clause",
    "imageio-ffmpeg": "BSD-2-Clause (its wheels carry ffmpeg, LGPL-2.1 or GPL-2.0 by its build)",
    "shapely": "BSD-3-Clause (its wheels carry GEOS, LGPL-2.1)",
    "scipy": "BSD-3-Clause (its wheels carry OpenBLAS, BSD-3-Clause, and libgfortran, GPL-3.0 with exception)",
    "numpy": "BSD-3-Clause (its wheels carry OpenBLAS, BSD-3-Clause, and libgfortran, GPL-3.0 with exception)",
}
SHORT = 60  # characters; a longer "licence" is the whole text


@dataclass(frozen=True)
class Package:
    """One installed package."""

    name: str
    version: str
    licence: str
    home: str


def plain(name: str) -> str:
    """Return a name as the package index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def wanted() -> list[str]:
    """Return what pyproject.toml asks for to run the program."""
    return list(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"])


def installed(requirements: Iterable[str]) -> dict[str, Distribution]:
    """Return the packages that requirements bring along, by plain name, as far as they are installed."""
    found: dict[str, Distribution] = {}
    waiting = [(Requirement(text), frozenset[str]()) for text in requirements]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        requirement, extras_of_parent = waiting.pop()
        if requirement.marker and not any(
            requirement.marker.evaluate({"extra": extra}) for extra in (extras_of_parent or {""})
        ):
            continue
        name, extras = plain(requirement.name), frozenset(requirement.extras)
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            found[name] = importlib.metadata.distribution(requirement.name)
        except PackageNotFoundError:
            continue  # another system's
        waiting += [(Requirement(text), extras) for text in found[name].requires or []]
    return found


def licence_of(distribution: Distribution) -> str:
    """Return a package's licence in a few words, empty if its metadata does not say."""
    metadata = distribution.metadata
    known = KNOWN.get(plain(metadata["Name"]))
    if known:
        return known
    expression = metadata.get("License-Expression") or ""
    if expression:
        return expression
    field = (metadata.get("License") or "").strip()
    if field and len(field) <= SHORT and "\n" not in field and field.upper() != "UNKNOWN":
        return field
    classes = [line.split(" :: ")[-1] for line in metadata.get_all("Classifier") or [] if line.startswith("License ::")]
    named = [name for name in classes if name != "OSI Approved"]
    return " and ".join(named) or field.partition("\n")[0].strip()[:SHORT]


def home_of(distribution: Distribution) -> str:
    """Return a package's page on the web, empty if its metadata names none."""
    metadata = distribution.metadata
    pages = dict(line.split(", ", 1) for line in metadata.get_all("Project-URL") or [] if ", " in line)
    lower = {name.lower(): page for name, page in pages.items()}
    for name in ("homepage", "home", "source", "source code", "repository", "github"):
        if name in lower:
            return lower[name]
    return metadata.get("Home-page") or next(iter(pages.values()), "")


def packages() -> list[Package]:
    """Return everything that runs with the program, by name."""
    return [
        Package(one.metadata["Name"], one.version, licence_of(one), home_of(one))
        for _, one in sorted(installed(wanted()).items())
    ]


def text_of(found: Iterable[Package]) -> str:
    """Return the list as it is written."""
    parts = [f"{one.name} {one.version.partition('+')[0]}\n    {one.licence}\n    {one.home}\n" for one in found]
    return HEAD + "\n".join(parts)


def main(arguments: list[str]) -> int:
    """Write or check the list, and return the exit code."""
    found = packages()
    unknown = [one.name for one in found if not one.licence]
    if unknown:
        print("licences that are not known: " + ", ".join(unknown), file=sys.stderr)
        return 1
    text = text_of(found)
    if "--check" not in arguments:
        OUT.write_text(text, encoding="utf-8")
        print(f"{len(found)} packages")
        return 0
    if OUT.is_file() and OUT.read_text(encoding="utf-8") == text:
        return 0
    print(f"{OUT.relative_to(ROOT)} is not up to date: run this program without --check.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
