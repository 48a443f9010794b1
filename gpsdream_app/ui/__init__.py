"""The window. Qt lives here and nowhere else."""

from __future__ import annotations

import ctypes
import sys


def _keep_singletons() -> None:
    """Give True, False and None so many references that they never run out.

    PySide6 6.12.0 drops one reference to True with every emitted signal, and one to None with every empty QVariant
    that it returns; 6.11.3 does not. Python 3.12 and later do not count references to these three. Python 3.11 does,
    and ends the process with “bool_dealloc: deallocating True or False” after a few hundred signals.
    """
    if sys.implementation.name != "cpython" or sys.version_info >= (3, 12) or hasattr(sys, "gettotalrefcount"):
        return
    for singleton in (True, False, None):
        # The count is the first field of every object of a release build of CPython.
        ctypes.c_ssize_t.from_address(id(singleton)).value += 1 << 40


_keep_singletons()
