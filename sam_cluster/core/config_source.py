"""The text of a configuration file, to say on which line something stands."""

from __future__ import annotations

import re
from pathlib import Path

from .errors import ConfigError


class Source:
    """The file's text; tomllib tells no lines."""

    def __init__(self, text: str, path: Path | None) -> None:
        self.lines = text.splitlines()
        self.path = path

    def error(self, section: str, key: str | None, complaint: str) -> ConfigError:
        """An error at the line of a key of a section; at the section's own where there is no key."""
        where = f"{self.path or 'configuration'}, line {self._line(section, key)}"
        return ConfigError(f"{where}: {complaint}")

    def _line(self, section: str, key: str | None) -> int:
        at = 0
        table, dot, name = (re.escape(part).replace(r"\.", r"\s*\.\s*") for part in section.partition("."))
        named = rf"\s*\.\s*[\"']?{name}[\"']?" if dot else ""
        header = re.compile(rf"\s*\[+\s*{table}{named}\s*\]+")
        for number, line in enumerate(self.lines, 1):
            if header.match(line):
                at = number
            if key and at and re.match(rf"""\s*["']?{re.escape(key)}["']?\s*=""", line):
                return number
            if not at and key and re.match(rf"\s*{re.escape(section)}\s*\.", line):
                at = number
        return at or 1
