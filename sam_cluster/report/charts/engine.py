"""Vega: from a specification to SVG, in this process or in another one beside it.

The engine takes half a second to start and lets no other thread of its process run meanwhile: a single
page is sooner there when another process starts it while the tables are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

Specification = Mapping[str, Any]

NOTHING: Specification = {"$schema": "https://vega.github.io/schema/vega/v5.json", "width": 1, "height": 1}
#: Of this process, whichever of its threads draws.
_beside: ProcessPoolExecutor | None = None


@contextmanager
def drawing_beside() -> Iterator[None]:
    """Within it, pictures are drawn by another process, whose engine starts at once."""
    global _beside
    # Not forked: a page's process has threads of Arrow's.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        process.submit(drawn, NOTHING)
        _beside = process
        try:
            yield
        finally:
            _beside = None
            process.shutdown(wait=False, cancel_futures=True)


def svg_of(specification: Specification) -> str:
    """The picture of a specification."""
    return drawn(specification) if _beside is None else _beside.submit(drawn, specification).result()


def drawn(specification: Specification) -> str:
    """The same, by this process."""
    import vl_convert  # 84 MB, and a JavaScript engine with the first call: only where something is drawn

    svg: str = vl_convert.vega_to_svg(dict(specification), allowed_base_urls=[])
    return svg
