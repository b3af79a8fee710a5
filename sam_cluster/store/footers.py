"""The footers of many shards, parsed at once by Arrow.

What a footer has to hold follows from the dataclasses of `core.model`, as in `document.py`. What is not of
those types, or says a thing twice, does not parse, and is left to `shards.parse_footer`, which says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import pyarrow as pa
import pyarrow.json as pj

from sam_cluster.core.model import Boundary, Shard

from .document import FIELD_TYPES, IN_COLUMNS
from .short import PLACE

#: A day of sixteen GPUs takes a quarter of it, and three columns of so many bytes in each of 2,500 shards are
#: within the 31 bits of Arrow's offsets.
LARGEST_TEXT = 2**18


def without_none(hint: Any) -> Any:
    """A type without None."""
    return next(one for one in get_args(hint) if one is not NoneType) if isinstance(hint, UnionType) else hint


def _arrow_type(hint: Any) -> pa.DataType:
    hint = without_none(hint)
    if get_origin(hint) is tuple:
        return pa.list_(_arrow_type(get_args(hint)[0]))
    if is_dataclass(hint):
        return pa.struct([(name, _arrow_type(its)) for name, its in HINTS[hint].items()])
    if issubclass(hint, str):
        return pa.string()
    return pa.bool_() if hint is bool else pa.int64()


def _hints(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {each.name: hints[each.name] for each in fields(kind) if each.name != "samples"}


HINTS: dict[Any, dict[str, Any]] = {kind: _hints(kind) for kind in FIELD_TYPES}


def _in_columns(kind: type) -> pa.DataType:
    hints = {**HINTS[kind], PLACE: int} if kind is Boundary else HINTS[kind]
    return pa.struct([(name, pa.list_(_arrow_type(hint))) for name, hint in hints.items()])


FOOTER = pa.schema([
    (name, _in_columns(IN_COLUMNS[name]) if name in IN_COLUMNS else _arrow_type(hint))
    for name, hint in HINTS[Shard].items()
])  # fmt: skip


def parsed(texts: Sequence[bytes]) -> tuple[pa.Table, list[int]]:
    """The footers that hold what FOOTER says and no more, a row each, and which they are.

    What does not parse is looked for by halves, so that one bad footer costs a few more looks.
    """
    if (table := _parsed(texts)) is not None:
        return table, list(range(len(texts)))
    if len(texts) < 2:
        return FOOTER.empty_table(), []
    half = len(texts) // 2
    first, of_first = parsed(texts[:half])
    second, of_second = parsed(texts[half:])
    return pa.concat_tables([first, second]), of_first + [half + at for at in of_second]


def _parsed(texts: Sequence[bytes]) -> pa.Table | None:
    """A row for each text; None where one of them is not the JSON of a footer."""
    if any(len(text) > LARGEST_TEXT for text in texts):
        return None
    joined = b"\n".join(texts)
    # With these, no text can end inside of another, and each is at least one row: if there are as many
    # rows as texts, each is its own. For the parser, nothing comes after a NUL.
    if not all(text[:1] == b"{" and text[-1:] == b"}" for text in texts) or b"\0" in joined:
        return None
    try:
        table = pj.read_json(
            pa.BufferReader(joined),
            read_options=pj.ReadOptions(use_threads=False, block_size=len(joined) + 1),
            parse_options=pj.ParseOptions(explicit_schema=FOOTER, unexpected_field_behavior="error"),
        )
        table.validate(full=True)  # UTF-8 in every text
    except pa.ArrowException:
        return None
    return table if len(table) == len(texts) else None
