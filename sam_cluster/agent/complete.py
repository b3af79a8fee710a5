"""The parts of runs that nothing is added to any more: they wait to be on disk, then to be sealed."""

from __future__ import annotations

from .journal import Journal, JournalPart


class CompleteParts:
    """Complete parts, in the order in which they ended."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._parts: list[JournalPart] = []

    @property
    def parts(self) -> list[JournalPart]:
        """All of them."""
        return list(self._parts)

    @property
    def names(self) -> list[str]:
        """Their names; what they hold is on disk after a `flush` that returns True."""
        return [part.name for part in self._parts]

    def add(self, *parts: JournalPart) -> None:
        """These have ended."""
        self._parts += parts

    def flush(self) -> bool:
        """Bring them to disk, up to the first that cannot be written now; False where one cannot."""
        return all(part.flush() for part in self._parts)

    def close(self) -> None:
        """Let go of their files, which a later `flush` opens again."""
        for part in self._parts:
            part.close()

    def sealed(self, name: str) -> None:
        """A shard was made of a part."""
        self._forget(name)
        self._journal.remove(name)

    def broken(self, name: str) -> None:
        """A part holds nothing that can be sealed: it is kept, and not looked at again."""
        self._forget(name)
        self._journal.set_aside(name)

    def _forget(self, name: str) -> None:
        self._parts = [part for part in self._parts if part.name != name]
