"""The NVIDIA driver through NVML: but for `samples`, the only place that imports pynvml."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pynvml

from sam_cluster.core.model import Reason
from sam_cluster.energy.power import Power
from sam_cluster.energy.quiet import Use

from .calls import CallLog
from .looks import Looks
from .nvml_policy import driver_error, policy
from .ports import Calls, Clock, DriverError, GpuInfo, Inventory, RawReading, Remedy
from .ring import Ring
from .samples import samples_since

#: Of a call that took longer it cannot be said when the counter was read.
SLOW_MICROSECONDS = 1_000_000
#: More than this, in millijoules, no counter has counted: it is what some drivers say of a GPU that is ill.
MOST_MILLIJOULES = 2**62
#: In the name of a GPU whose counter is of its module (zeus, PR 172), also where the driver does not say so.
MODULE_NAME = "GH200"
#: A GPU that had a counter has none any more once it said so as often in a row.
REFUSALS_BELIEVED = 5


class Nvml:
    """A Driver on the installed libnvidia-ml. At most three calls a reading: the counter, and one a ring.

    Each GPU is read by one thread at a time; several GPUs may be read at once, NVML is thread-safe.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._log = CallLog()
        self._handles: dict[str, Any] = {}
        self._rings: dict[str, Ring] = {}
        self._no_ring: set[str] = set()
        self._uses: dict[str, int] = {}  # stamp of the latest sample of utilisation
        self._no_use: set[str] = set()
        self._refusals: dict[str, int] = {}  # of GPUs that have the counter: times in a row that they had not
        self._modules: set[str] = set()  # GPUs of which NVML reads the whole module
        self._looks = Looks(self._describe)

    def open(self) -> Inventory:
        """Initialise NVML and list the GPUs; one that fails or hangs is left out, the others are kept."""
        self._call(pynvml.nvmlInit)
        try:
            return self._list()
        except DriverError:
            self.close()
            raise

    def _list(self) -> Inventory:
        found, missing = self._looks.at(int(self._call(pynvml.nvmlDeviceGetCount)))
        self._handles = {info.uuid: handle for info, handle in found}
        self._modules = {info.uuid for info, _ in found if info.is_module}
        return Inventory(
            driver_version=self._ask(pynvml.nvmlSystemGetDriverVersion),
            gpus=tuple(info for info, _ in found),
            missing=missing,
        )

    def _describe(self, index: int) -> tuple[GpuInfo, Any]:
        handle = self._call(pynvml.nvmlDeviceGetHandleByIndex, index)
        slices = self._mig_slices(handle)
        name = self._call(pynvml.nvmlDeviceGetName, handle)
        info = GpuInfo(
            uuid=self._call(pynvml.nvmlDeviceGetUUID, handle),
            index=index,
            name=name,
            minor=self._ask(pynvml.nvmlDeviceGetMinorNumber, handle),
            power_limit_milliwatts=self._ask(pynvml.nvmlDeviceGetEnforcedPowerLimit, handle),
            mig_uuids=None if slices is None else tuple(slices),
            mig_slices=tuple((slices or {}).values()),
            is_module=self._module_power(handle) is not None or MODULE_NAME in name,
        )
        return info, handle

    def _module_power(self, handle: Any) -> int | None:
        """Milliwatts of the module that a GPU is a part of, with its CPU; None where it is of none, or where
        the driver does not answer for that scope."""
        wanted = [(pynvml.NVML_FI_DEV_POWER_INSTANT, pynvml.NVML_POWER_SCOPE_MODULE)]
        values = self._ask(pynvml.nvmlDeviceGetFieldValues, handle, wanted)
        if values is None or values[0].nvmlReturn != pynvml.NVML_SUCCESS:
            return None
        return int(values[0].value.uiVal)

    def _mig_slices(self, handle: Any) -> dict[str, int | None] | None:
        """The UUIDs of its MIG devices, each with its compute slices; None where MIG is off."""
        mode = self._ask(pynvml.nvmlDeviceGetMigMode, handle)
        if not mode or mode[0] != pynvml.NVML_DEVICE_MIG_ENABLE:
            return None
        slices: dict[str, int | None] = {}
        for index in range(self._ask(pynvml.nvmlDeviceGetMaxMigDeviceCount, handle) or 0):
            slice_handle = self._ask(pynvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, index)
            if slice_handle is not None and (uuid := self._ask(pynvml.nvmlDeviceGetUUID, slice_handle)):
                attributes = self._ask(pynvml.nvmlDeviceGetAttributes_v2, slice_handle)
                slices[uuid] = int(attributes.computeInstanceSliceCount) or None if attributes else None
        return slices

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """A call that must succeed; what may go well at once is tried at once. Raises DriverError."""
        for is_last in (False, True):
            try:
                return self._log.call(function, *arguments)
            except pynvml.NVMLError as error:
                if is_last or policy(error.value).remedy is not Remedy.AGAIN:
                    raise driver_error(error.value) from None
        raise AssertionError("the last attempt returns or raises")

    def _ask(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What a GPU may or may not be able to say; None where it is not."""
        try:
            return self._log.call(function, *arguments)
        except pynvml.NVMLError as error:
            if policy(error.value).remedy in (Remedy.CLOSE, Remedy.REOPEN):
                raise driver_error(error.value) from None
            return None

    def read(self, uuid: str) -> RawReading:
        """The energy counter, then the power since the last look."""
        handle = self._handles.get(uuid)
        if handle is None:  # NVML was let go of while the request was on its way
            raise DriverError(Reason.NO_READING)
        uptime, counter = self._count(uuid, handle)
        ring = self._ring(uuid, handle, uptime)
        power = ring or self._poll(uuid, handle, uptime)
        if counter is None and not power:
            raise DriverError(Reason.COUNTER_UNSUPPORTED, Remedy.FALL_BACK)
        return RawReading(
            uptime_microseconds=uptime,
            counter_millijoules=counter,
            power=power,
            # Without a ring of power it is looked at each second, and this would be dear.
            use=self._use(uuid, handle, uptime) if ring else (),
            ring_microseconds=self._rings[uuid].microseconds if uuid in self._rings else 0,
        )

    def _count(self, uuid: str, handle: Any) -> tuple[int, int | None]:
        """When the counter was read, and its millijoules; None on a GPU without one. A call that hung is
        made once more: what it gave may be from its beginning or from its end."""
        for _ in range(2):
            asked = self._clock.uptime_microseconds()
            try:
                counter = int(self._call(pynvml.nvmlDeviceGetTotalEnergyConsumption, handle))
            except DriverError as error:
                if error.remedy is not Remedy.FALL_BACK or not self._has_no_counter(uuid):
                    raise
                return self._clock.uptime_microseconds(), None
            uptime = self._clock.uptime_microseconds()
            if counter > MOST_MILLIJOULES:
                raise DriverError(Reason.NVML_FAILED)
            if uptime - asked <= SLOW_MICROSECONDS:
                self._refusals[uuid] = 0
                return uptime, counter
        raise DriverError(Reason.NVML_HUNG)

    def _has_no_counter(self, uuid: str) -> bool:
        """Whether a GPU that says it has no counter is believed; one that had it, not at the first time."""
        if uuid not in self._refusals:
            return True
        self._refusals[uuid] += 1
        return self._refusals[uuid] >= REFUSALS_BELIEVED

    def _poll(self, uuid: str, handle: Any, uptime: int) -> tuple[Power, ...]:
        """Power now, of what the counter counts: beside a module's counter its GPU's power is no meter."""
        if uuid in self._modules:
            power = self._module_power(handle)
        else:
            power = self._ask(pynvml.nvmlDeviceGetPowerUsage, handle)
        return () if power is None else ((uptime, int(power)),)

    def _ring(self, uuid: str, handle: Any, uptime: int) -> tuple[Power, ...]:
        """The driver's own ring of power samples, which is stamped with the wall clock."""
        if uuid in self._no_ring:
            return ()
        ring = self._rings.setdefault(uuid, Ring())
        if ring.last > self._clock.now_microseconds():
            ring.last = 0  # the wall clock was set back
        of_what = (
            pynvml.NVML_MODULE_POWER_SAMPLES if uuid in self._modules else pynvml.NVML_TOTAL_POWER_SAMPLES
        )
        series = self._samples(uuid, handle, of_what, ring.last, self._no_ring)
        ring.learn([stamp for stamp, _ in series])
        return self._on_uptime(series, uptime)

    def _use(self, uuid: str, handle: Any, uptime: int) -> tuple[Use, ...]:
        """The driver's ring of samples of utilisation."""
        if uuid in self._no_use:
            return ()
        since = self._uses.get(uuid, 0)
        if since > self._clock.now_microseconds():
            since = 0
        series = self._samples(uuid, handle, pynvml.NVML_GPU_UTILIZATION_SAMPLES, since, self._no_use)
        if series:
            self._uses[uuid] = series[-1][0]
        return self._on_uptime(series, uptime)

    def _samples(
        self, uuid: str, handle: Any, of_what: int, since: int, without: set[str]
    ) -> list[tuple[int, int]]:
        """Stamps and values of a ring after a stamp, in the order of time; a GPU that has no such ring is
        remembered in `without`."""
        try:
            series = self._log.call(samples_since, handle, of_what, since)
        except pynvml.NVMLError as error:
            remedy = policy(error.value).remedy
            if remedy in (Remedy.CLOSE, Remedy.REOPEN):
                raise driver_error(error.value) from None
            if remedy is Remedy.FALL_BACK:
                without.add(uuid)
            return []
        return sorted(point for point in series if point[0] > since)

    def _on_uptime(self, series: list[tuple[int, int]], uptime: int) -> tuple[tuple[int, int], ...]:
        """The driver's stamps are of the wall clock, of which one that jumped puts samples into the future,
        or back before the last look."""
        offset = self._clock.now_microseconds() - uptime
        points = ((stamp - offset, value) for stamp, value in series)
        return tuple(point for point in points if 0 < point[0] <= uptime + 1_000_000)

    def close(self) -> None:
        """Let go of NVML, so that a GPU can be reset."""
        self._handles = {}
        self._rings = {}
        self._uses = {}
        try:
            self._log.call(pynvml.nvmlShutdown)
        except pynvml.NVMLError:
            pass  # it is not open, or not any more

    def calls(self) -> Calls:
        """What the calls into the driver took so far."""
        return self._log.take()
