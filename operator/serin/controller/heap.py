"""Memory that a start leaves behind: lists of thousands of objects are read once and leave holes in the heap.

glibc keeps freed blocks below the highest one in use; asked to trim, it returns whole pages from the middle too.
Where the C library is another (musl, macOS) there is nothing to ask, and nothing is done.
"""

from __future__ import annotations

import ctypes
import gc


def give_back_memory() -> None:
    """Collect what is garbage and return unused pages to the system."""
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):
        return
