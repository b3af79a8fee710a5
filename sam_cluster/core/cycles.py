"""Python's search for objects that refer to one another in a circle, and where it is left out."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_search_for_cycles() -> Iterator[None]:
    """Tables and views refer to nothing in a circle, and Python looks through millions of their objects for
    one again and again: a fifth of the time of a fold, and of a page. Within this it does not."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
