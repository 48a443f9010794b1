"""What all of the program's SQLite files have in common."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator


def storable(text: str) -> str:
    """Make text fit for a column: SQLite holds UTF-8, where half a surrogate pair has no place."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of what is done within, or nothing: other writers wait from its beginning on."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
