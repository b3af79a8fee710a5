"""The colours of the pictures, as the page's own variables: one drawing for light, dark and paper.

`templates/report.css` gives them values; those of the series are Okabe and Ito's, which the colour-blind
tell apart, made darker or lighter until they stand out from the page.
"""

from __future__ import annotations

INK = "var(--ink)"
SOFT = "var(--soft)"
LINE = "var(--line)"
PAPER = "var(--paper)"
BAND = "var(--band)"
SERIES = tuple(f"var(--series-{number})" for number in range(1, 8))
