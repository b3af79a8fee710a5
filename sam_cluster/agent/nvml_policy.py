"""What is done about each of NVML's return codes: one table, so that one bad GPU spoils no other.

The numbers are those of nvmlReturn_t in nvml.h, which never change. What is not in the table is asked
again, and the reading is marked as failed.
"""

from __future__ import annotations

from dataclasses import dataclass

from sam_cluster.core.model import Reason

from .ports import DriverError, Remedy

UNINITIALIZED = 1
NOT_SUPPORTED = 3
DRIVER_NOT_LOADED = 9
TIMEOUT = 10
LIBRARY_NOT_FOUND = 12
FUNCTION_NOT_FOUND = 13
GPU_IS_LOST = 15
RESET_REQUIRED = 16
LIB_RM_VERSION_MISMATCH = 18
GPU_NOT_FOUND = 28
UNKNOWN = 999


@dataclass(frozen=True, slots=True)
class Policy:
    """What a code means for a figure, and what is done about it."""

    remedy: Remedy
    reason: Reason


POLICIES: dict[int, Policy] = {
    UNINITIALIZED: Policy(Remedy.REOPEN, Reason.NVML_FAILED),
    NOT_SUPPORTED: Policy(Remedy.FALL_BACK, Reason.COUNTER_UNSUPPORTED),
    DRIVER_NOT_LOADED: Policy(Remedy.REOPEN, Reason.NVML_ABSENT),
    TIMEOUT: Policy(Remedy.AGAIN, Reason.NVML_HUNG),
    LIBRARY_NOT_FOUND: Policy(Remedy.REOPEN, Reason.NVML_ABSENT),
    FUNCTION_NOT_FOUND: Policy(Remedy.FALL_BACK, Reason.COUNTER_UNSUPPORTED),  # an old driver
    GPU_IS_LOST: Policy(Remedy.CLOSE, Reason.GPU_LOST),
    RESET_REQUIRED: Policy(Remedy.CLOSE, Reason.GPU_LOST),
    LIB_RM_VERSION_MISMATCH: Policy(Remedy.REOPEN, Reason.NVML_FAILED),
    GPU_NOT_FOUND: Policy(Remedy.CLOSE, Reason.GPU_LOST),
    UNKNOWN: Policy(Remedy.AGAIN, Reason.NVML_FAILED),
}
OTHERWISE = Policy(Remedy.AGAIN, Reason.NVML_FAILED)


def policy(code: int) -> Policy:
    """What is done about a code."""
    return POLICIES.get(code, OTHERWISE)


def driver_error(code: int) -> DriverError:
    """A code as the error that a Driver raises."""
    found = policy(code)
    return DriverError(found.reason, found.remedy)
