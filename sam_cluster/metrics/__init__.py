"""Pure metrics over plain sequences and arrays: SAM, equity between groups, the Pareto front.

What has no value is an `Undefined` with its reason, never a zero; what cannot be a value at all (a
negative energy, an accuracy of 76.3) is a ValueError.
"""

from .domain import Undefined, UndefinedReason
from .equity import TheilParts, gini, hoover, jain, level_fs, lorenz, theil_parts, theil_t
from .pareto import pareto_front
from .score import UNITS_PER_KWH, sam, sam_log1p, sam_of_measurement

__all__ = [
    "UNITS_PER_KWH",
    "TheilParts",
    "Undefined",
    "UndefinedReason",
    "gini",
    "hoover",
    "jain",
    "level_fs",
    "lorenz",
    "pareto_front",
    "sam",
    "sam_log1p",
    "sam_of_measurement",
    "theil_parts",
    "theil_t",
]
