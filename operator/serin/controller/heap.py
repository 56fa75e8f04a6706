"""Memory that a start leaves behind: lists of thousands of objects are read once and leave holes in the heap.

glibc keeps freed blocks below the highest one in use; asked to trim, it returns whole pages from the middle too.
Where the C library is another (musl, macOS) there is nothing to ask, and nothing is done.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc

M_ARENA_MAX = -8
"""From malloc.h."""


def one_arena() -> None:
    """Let all threads share one heap. To be called before there are threads.

    glibc gives each thread a heap of its own, and what one frees no other uses. Ours mostly wait for sockets.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def give_back_memory() -> None:
    """Collect what is garbage and return unused pages to the system."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
