"""A picture as a page takes it: two drawings, for a wide and a narrow screen, and its words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Two SVG elements of the same figures, to be put into the page as they are, one of them shown.

    Title and description are plain text, to be escaped by the page; the title is also each drawing's
    accessible name. The SVGs are markup that is safe already: user text in them is escaped.
    """

    title: str
    description: str  # the text alternative: what is to be seen, with its figures, in a few sentences
    wide: str  # 720 px
    narrow: str  # 328 px: a phone of 360 px less the page's margins
