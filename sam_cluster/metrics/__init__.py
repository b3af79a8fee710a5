"""Pure metrics over plain sequences and arrays: SAM, orders, equity between groups, the Pareto
front, projection.

What has no value is an `Undefined` with its reason, never a zero; what cannot be a value at all (a
negative energy, an accuracy of 76.3) is a ValueError.
"""

from .domain import Undefined, UndefinedReason
from .equity import TheilParts, gini, hoover, jain, level_fs, lorenz, theil_parts, theil_t
from .firmness import keep_their_places, may_be_first
from .kendall import kendall_tau_b
from .pareto import pareto_front
from .projection import Projection, ProjectionFlag, interval, project
from .ranking import (
    Candidate,
    Crossing,
    OrderAt,
    Place,
    competition_ranks,
    crossings,
    orders_over_alpha,
    orders_over_unit,
    places,
)
from .reaching import energy_to_reach, shared_accuracies
from .score import UNITS_PER_KWH, sam, sam_log1p, sam_of_measurement, sam_range
from .shorter_runs import AMOUNTS, PROBABILITY, Refusal, Refused, ShorterRun

__all__ = [
    "AMOUNTS",
    "PROBABILITY",
    "UNITS_PER_KWH",
    "Candidate",
    "Crossing",
    "OrderAt",
    "Place",
    "Projection",
    "ProjectionFlag",
    "Refusal",
    "Refused",
    "ShorterRun",
    "TheilParts",
    "Undefined",
    "UndefinedReason",
    "competition_ranks",
    "crossings",
    "energy_to_reach",
    "gini",
    "hoover",
    "interval",
    "jain",
    "keep_their_places",
    "kendall_tau_b",
    "level_fs",
    "lorenz",
    "may_be_first",
    "orders_over_alpha",
    "orders_over_unit",
    "pareto_front",
    "places",
    "project",
    "sam",
    "sam_log1p",
    "sam_of_measurement",
    "sam_range",
    "shared_accuracies",
    "theil_parts",
    "theil_t",
]
