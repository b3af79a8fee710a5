"""python -m sam_cluster.cli.nvml_probe: the GPUs of this machine as JSON, or a line on stderr and exit 1."""

from __future__ import annotations

import json
import sys

from sam_cluster.agent.nvml import Nvml
from sam_cluster.agent.ports import DriverError, SystemClock


def main() -> int:
    """Opens NVML and reads each GPU once."""
    nvml = Nvml(SystemClock())
    try:
        inventory = nvml.open()
    except DriverError as error:
        print(f"NVML cannot be opened: {error.reason.value}", file=sys.stderr)
        return 1
    gpus = [{"uuid": gpu.uuid, "has_counter": _has_counter(nvml, gpu.uuid)} for gpu in inventory.gpus]
    print(json.dumps({"driver_version": inventory.driver_version, "gpus": gpus}))
    return 0


def _has_counter(nvml: Nvml, uuid: str) -> bool:
    try:
        return nvml.read(uuid).counter_millijoules is not None
    except DriverError:
        return False


if __name__ == "__main__":
    sys.exit(main())
