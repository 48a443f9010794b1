"""What an import did: counts, a table for a person, JSON for a program."""

from __future__ import annotations

import errno
import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from gpsdream_app.domain.errors import ErrorKind, GPSDreamError
from gpsdream_app.photos.catalogue import Catalogue, Summary
from gpsdream_app.photos.records import Outcome, Reason, clean_text

REPORT_SCHEMA = 1


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What one import did.

    Attributes:
        folder: that was imported.
        number: of the import in the catalogue.
        cancelled: whether it was stopped before its end; what it had read by then is kept.
        seconds: that it took.
        counts: files and folders per reason; zero counts are left out.
        read: files that were opened.
        unchanged: files that were as they had been at an earlier import, and not opened.
        gone: files that an earlier import had found and that are not there any more.
        summary: what all placed photos of the folder offer.
    """

    folder: Path
    number: int
    cancelled: bool
    seconds: float
    counts: Mapping[Reason, int]
    read: int
    unchanged: int
    gone: int
    summary: Summary
    catalogue: Catalogue = field(repr=False, compare=False)

    @property
    def total(self) -> int:
        """Number of files and folders that have an outcome."""
        return sum(self.counts.values())

    @property
    def placed(self) -> int:
        """Number of photos with a place."""
        return self.counts.get(Reason.PLACED, 0)

    def outcomes(self) -> Iterator[Outcome]:
        """Iterate over what became of every file, in the order of the paths.

        They are read from the catalogue, so this must come before the next import of the folder.
        """
        return self.catalogue.outcomes(self.folder, number=self.number)

    def table(self) -> str:
        """Return the report as lines for a terminal."""
        rows = [(self.counts[reason], reason) for reason in Reason if self.counts.get(reason)]
        rows.sort(key=lambda row: (row[1] is not Reason.PLACED, -row[0]))
        width = max((len(f"{count:,}") for count, _ in rows), default=1)
        names = max((len(reason) for _, reason in rows), default=0)
        title = f"{clean_text(self.folder, 200)}: {self.total:,} files in {self.seconds:,.1f} s"
        lines = [f"{title}, stopped before the end." if self.cancelled else f"{title}."]
        lines += [f"  {count:>{width},}  {reason:<{names}}  {reason.sentence}" for count, reason in rows]
        details = [f"{self.read:,} read", f"{self.unchanged:,} unchanged"]
        if self.gone:
            details.append(f"{self.gone:,} gone since the last import")
        lines.append(", ".join(details) + ".")
        offer = self.summary
        if offer.photos:
            parts = [
                f"{number:,} {words}"
                for number, words in (
                    (offer.headings, "with a direction of view"),
                    (offer.magnetic, "of them from magnetic north"),
                    (offer.captions, "with a caption"),
                    (offer.frontages, "with a known frontage"),
                    (offer.from_sidecars, "placed by a sidecar"),
                )
                if number
            ]
            lines.append(f"{offer.photos:,} photos with a place" + (": " + ", ".join(parts) if parts else "") + ".")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values, without the single files."""
        return {
            "schema": REPORT_SCHEMA,
            "folder": str(self.folder),
            "cancelled": self.cancelled,
            "seconds": round(self.seconds, 3),
            "total": self.total,
            "counts": {reason.value: self.counts[reason] for reason in Reason if self.counts.get(reason)},
            "sentences": {reason.value: reason.sentence for reason in Reason if self.counts.get(reason)},
            "read": self.read,
            "unchanged": self.unchanged,
            "gone": self.gone,
            "photos": self.summary.to_dict(),
        }

    def write_json(self, file: IO[str]) -> None:
        """Write the report with the outcome of every file. However many they are, this takes little memory."""
        head = json.dumps(self.to_dict(), indent=1, ensure_ascii=False)
        file.write(head.removesuffix("\n}") + ',\n "files": [')
        separator = "\n  "
        for outcome in self.outcomes():
            file.write(separator + json.dumps(outcome.to_dict(), ensure_ascii=False))
            separator = ",\n  "
        file.write("\n ]\n}\n")

    def save(self, path: Path) -> None:
        """Write the JSON report to a file; a file that is there is replaced once the new one is whole.

        Raises:
            GPSDreamError: if it cannot be written.
        """
        save_text(path, self.write_json)


def save_text(path: Path, write: Callable[[IO[str]], None]) -> None:
    """Write a text file whole or not at all; a file that is there is replaced once the new one is whole.

    Args:
        path: of the file.
        write: writes what is to be in it.

    Raises:
        GPSDreamError: if it cannot be written.
    """
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        temporary = path.with_name(f".{path.name[:40]}.{secrets.token_hex(4)}.part")
        try:
            with temporary.open("w", encoding="utf-8", newline="\n") as file:
                write(file)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise GPSDreamError(
            ErrorKind.DISK_FULL,
            f"{clean_text(path, 200)} cannot be written: {error.strerror or error}.",
            "Give a file in a folder that you may write to.",
        ) from error
