"""What went wrong with the GPUs since NVML was opened: which of them is ill, and when it is NVML itself."""

from __future__ import annotations

from sam_cluster.core.model import Reason

from .ports import ReadFailed, Remedy


class Troubles:
    """Kept by UUID; None stands for NVML as a whole."""

    def __init__(self) -> None:
        self.reasons: dict[str | None, Reason] = {}
        self.lost: set[str] = set()  # give nothing more until NVML is opened anew
        self._reopened_for: set[str] = set()  # NVML was opened anew for them, and they gave nothing since
        self._not_helped: set[str] = set()  # of these, those that failed since then

    def failed(self, answer: ReadFailed) -> bool:
        """A reading failed. Whether NVML is to be opened anew: where that did not help a GPU, it is the GPU
        that is ill; the others go on, and it is asked again."""
        uuid = answer.uuid
        self.reasons[uuid] = answer.reason
        if answer.remedy is Remedy.CLOSE:
            self.lost.add(uuid)
        elif answer.remedy is Remedy.REOPEN and uuid in self._reopened_for:
            self._not_helped.add(uuid)
        elif answer.remedy is Remedy.REOPEN:
            self._reopened_for.add(uuid)
            return True
        return False

    def failed_while_closed(self, answer: ReadFailed) -> None:
        """A reading that was asked for before NVML was closed: it is being opened anew for that GPU, too."""
        if answer.remedy is Remedy.REOPEN:
            self._reopened_for.add(answer.uuid)

    def is_well(self, uuid: str) -> None:
        """A GPU was read."""
        self.reasons.pop(uuid, None)
        self._reopened_for.discard(uuid)
        self._not_helped.discard(uuid)

    def opened(self) -> None:
        """NVML was opened: all may be well again."""
        self.reasons, self.lost, self._not_helped = {}, set(), set()

    def are_all(self, wanted: set[str]) -> bool:
        """Whether opening NVML anew has helped none of these, and nothing is left that says it is well."""
        return bool(wanted) and wanted <= self._not_helped
