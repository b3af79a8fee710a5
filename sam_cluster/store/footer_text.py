"""The document in a shard's footer as the bytes that it is, where the rest of the footer is not asked for.

pyarrow decodes all of a footer (columns, row groups, their statistics), which costs ten times what it takes
to find one text in it. A footer is a struct in Thrift's compact protocol, and its keys and values are in it
as `ParquetWriter` was given them: a field's header, a length as a varint, and the bytes.
https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

from collections.abc import Mapping

MAGIC = b"PAR1"  # before and after a Parquet file
LENGTH_BYTES = 4  # of the footer, before the last magic
FIELD, STOP = b"\x18", b"\x00"  # a text in the field after the one before; the end of a struct
#: A varint has seven bits a byte, the lowest first; the eighth says that more follow.
CONTINUES, BITS = 0x80, 7


def before_text(known: Mapping[bytes, bytes], key: bytes) -> bytes:
    """What stands right before the value of a key that is written after others with these values."""
    pairs = [FIELD + _text(name) + FIELD + _text(value) + STOP for name, value in known.items()]
    return b"".join([*pairs, FIELD, _text(key), FIELD])


def text_after(content: bytes, before: bytes) -> bytes | None:
    """The text after certain bytes in the footer of a file; None where the file does not look so, which says
    nothing against it."""
    end = len(content) - LENGTH_BYTES - len(MAGIC)
    if not (content.startswith(MAGIC) and content.endswith(MAGIC)):
        return None
    begin = end - int.from_bytes(content[end : end + LENGTH_BYTES], "little")
    if begin < len(MAGIC):
        return None
    at = content.find(before, begin, end)
    if at < 0 or content.find(before, at + 1, end) >= 0:
        return None
    at += len(before)
    length = shift = 0
    while at < end:
        byte = content[at]
        at += 1
        length |= (byte & ~CONTINUES) << shift
        shift += BITS
        if not byte & CONTINUES:
            break
    text = content[at : at + length]
    # A text that reaches to the end of the footer is followed by nothing that ends its struct.
    return text if at + length < end and content[at + length : at + length + 1] == STOP else None


def _text(value: bytes) -> bytes:
    length, encoded = len(value), bytearray()
    while length >= CONTINUES:
        encoded.append(length % CONTINUES | CONTINUES)
        length >>= BITS
    return bytes(encoded) + bytes([length]) + value
