"""Who the GPUs are, asked in a thread for each: one that hangs keeps none of the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from sam_cluster.core.model import Reason

from .ports import DriverError, Remedy

#: How long the GPUs are waited for, all together: without persistence mode the first client of NVML waits for
#: each of them to be set up.
DEADLINE_SECONDS = 5.0

Found = TypeVar("Found")


class Looks(Generic[Found]):
    """Looks at each GPU. A look that hangs is not followed by another while it does."""

    def __init__(self, describe: Callable[[int], Found], deadline_seconds: float = DEADLINE_SECONDS) -> None:
        """`describe` asks the GPU of an index; it may raise DriverError."""
        self._describe = describe
        self._deadline = deadline_seconds
        self._looks: dict[int, _Look[Found]] = {}

    def at(self, count: int) -> tuple[list[Found], dict[int, Reason]]:
        """What so many GPUs say, and by index why some say nothing.

        Raises DriverError where one hangs and no other says anything: then it is NVML that hangs.
        """
        hanging = {index for index, look in self._looks.items() if look.is_alive()}
        self._looks = {
            index: self._looks[index] if index in hanging else _Look(self._describe, index)
            for index in range(count)
        }
        until = time.monotonic() + self._deadline
        for index in self._looks.keys() - hanging:
            self._looks[index].join(max(until - time.monotonic(), 0))
        found: list[Found] = []
        missing: dict[int, Reason] = {}
        for index, look in self._looks.items():
            if index in hanging or look.is_alive():  # what it may give yet was asked for too long ago
                missing[index] = Reason.NVML_HUNG
            elif look.found is None:
                missing[index] = look.reason
            else:
                found.append(look.found)
        if not found and Reason.NVML_HUNG in missing.values():
            raise DriverError(Reason.NVML_HUNG, Remedy.REOPEN)
        return found, missing


class _Look(threading.Thread, Generic[Found]):
    """One look at one GPU."""

    def __init__(self, describe: Callable[[int], Found], index: int) -> None:
        super().__init__(name=f"gpu {index}", daemon=True)
        self.found: Found | None = None
        self.reason = Reason.NVML_FAILED
        self._describe = describe
        self._index = index
        self.start()

    def run(self) -> None:
        """Ask it."""
        try:
            self.found = self._describe(self._index)
        except DriverError as error:
            self.reason = error.reason
        except Exception:  # whatever a library may do, this GPU is left out, and no other
            self.reason = Reason.NVML_FAILED
