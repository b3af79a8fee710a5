"""One picture of each kind, of made-up figures that look like a month of a cluster."""

from __future__ import annotations

import random
from collections.abc import Callable

from sam_cluster.core.units import millijoules_from_kwh
from sam_cluster.metrics import Undefined, gini, lorenz, sam
from sam_cluster.report.charts.accuracy_and_energy import ResultPoint, accuracy_and_energy
from sam_cluster.report.charts.energy_by_day import EnergyOfDay, energy_by_day
from sam_cluster.report.charts.lorenz import LorenzCurve, lorenz_curves
from sam_cluster.report.charts.order_stability import RankPath, order_over_alpha, order_over_units
from sam_cluster.report.charts.picture import Picture
from sam_cluster.report.charts.projection import FittedPoint, MeteredPoint, projection
from sam_cluster.report.charts.shares import LabShares, shares
from sam_cluster.report.charts.two_orders import RankedResult, two_orders
from sam_cluster.report.charts.waiting import LabWaiting, waiting
from sam_cluster.report.charts.where_it_went import EnergyPart, where_it_went

MODELS = [
    ("MobileNetV2", 0.718, 1.6), ("ResNet-18", 0.697, 3.1), ("ResNet-50", 0.761, 8.4),
    ("ResNet-152", 0.783, 24.0), ("EfficientNet-B0", 0.771, 4.2), ("EfficientNet-B4", 0.829, 21.0),
    ("EfficientNet-B7", 0.843, 95.0), ("ViT-B/16 from scratch", 0.779, 160.0), ("ViT-L/16", 0.851, 420.0),
    ("ViT-H/14 with a large pre-training", 0.8855, 2100.0), ("ConvNeXt-T", 0.821, 30.0),
    ("tiny probe", 0.55, 0.2), ("SqueezeNet", 0.581, 0.8), ("RegNetY-400MF", 0.741, 2.4),
]  # fmt: skip


def score(accuracy: float, kwh: float, alpha: float = 5.0, unit: str = "kWh") -> float | None:
    value = sam(accuracy, kwh, alpha=alpha, unit=unit)
    return None if isinstance(value, Undefined) else value


def result(label: str, accuracy: float, kwh: float, *, is_lower_bound: bool = False) -> ResultPoint:
    value = None if is_lower_bound else score(accuracy, kwh)
    return ResultPoint(
        label=label, accuracy=accuracy, energy_millijoules=millijoules_from_kwh(kwh), sam=value,
        is_lower_bound=is_lower_bound,
    )  # fmt: skip


def results() -> list[ResultPoint]:
    found = [result(*model) for model in MODELS]
    return [*found, result("Swin-T, node lost", 0.812, 12.0, is_lower_bound=True)]


def many_results(count: int) -> list[ResultPoint]:
    chance = random.Random(7)
    points = []
    for number in range(count):
        kwh = 10 ** chance.gauss(1.0, 0.8)
        accuracy = min(0.95, max(0.1, 0.62 + 0.08 * chance.gauss(0, 1) + 0.05 * chance.random() * kwh**0.2))
        points.append(result(f"sweep-{number:04d}", accuracy, kwh))
    return points


def ranks(values: list[float | None]) -> list[int | None]:
    return [None if v is None else 1 + sum(o > v for o in values if o is not None) for v in values]


def days(count: int = 31) -> list[EnergyOfDay]:
    chance = random.Random(3)
    found = []
    for number in range(1, count + 1):
        before = millijoules_from_kwh(10 + 8 * chance.random())
        used = millijoules_from_kwh(12 + 10 * chance.random() + (25 if 12 <= number <= 16 else 0))
        found.append(EnergyOfDay(
            label=f"2026-10-{number:02d}", energy_millijoules=None if number == 23 else used,
            is_lower_bound=number in (9, 15),
            energy_before_millijoules=before if number <= 30 else None,
        ))  # fmt: skip
    return found


def labs(count: int) -> list[str]:
    names = ["vision", "speech", "genomics-and-proteomics", "robotics", "climate", "nlp", "astro", "chem"]
    return [names[n] if n < len(names) else f"lab-{n:02d}" for n in range(count)]


def used_by(count: int, seed: int) -> list[float]:
    chance = random.Random(seed)
    return [chance.expovariate(1.0) for _ in range(count)]


def day_picture() -> Picture | None:
    return energy_by_day(days())


def months_picture() -> Picture | None:
    found = [EnergyOfDay(label=f"2026-{n:02d}", energy_millijoules=n * 10**12) for n in range(1, 8)]
    return energy_by_day(found, step="month")


def accuracy_picture() -> Picture | None:
    return accuracy_and_energy(results(), task="imagenet-1k", alpha=5.0, beta=5.0, unit="kWh")


def small_picture() -> Picture | None:
    chance = random.Random(5)
    points = [
        result(f"model-{n}", 0.6 + 0.25 * chance.random(), 10 ** chance.uniform(-3, -0.5)) for n in range(40)
    ]
    return accuracy_and_energy(points, task="derma", alpha=5.0, beta=5.0, unit="kWh")


def sweep_picture() -> Picture | None:
    return accuracy_and_energy(many_results(5000), task="cifar-100", alpha=5.0, beta=5.0, unit="kWh")


def hundreds_picture() -> Picture | None:
    return accuracy_and_energy(many_results(280), task="cifar-100", alpha=5.0, beta=5.0, unit="kWh")


def orders_picture() -> Picture | None:
    scored = [
        (name, accuracy, s) for name, accuracy, kwh in MODELS if (s := score(accuracy, kwh)) is not None
    ]
    by_accuracy, by_sam = ranks([a for _, a, _ in scored]), ranks([s for _, _, s in scored])
    return two_orders(
        [
            RankedResult(label=n, accuracy=a, sam=s, rank_by_accuracy=ra or 0, rank_by_sam=rs or 0)
            for (n, a, s), ra, rs in zip(scored, by_accuracy, by_sam, strict=True)
        ],
    )


def alpha_picture() -> Picture | None:
    chosen = [model for model in MODELS if model[2] > 1][:10]
    alphas = [1.0 + n / 2 for n in range(19)]
    columns = [ranks([score(a, kwh, alpha) for _, a, kwh in chosen]) for alpha in alphas]
    paths = [
        RankPath(label=name, ranks=tuple(column[n] for column in columns))
        for n, (name, _, _) in enumerate(chosen)
    ]
    return order_over_alpha(paths, alphas=alphas, configured=5.0)


def units_picture() -> Picture | None:
    units = ["J", "Wh", "MJ", "kWh"]
    columns = [ranks([score(a, kwh, unit=unit) for _, a, kwh in MODELS]) for unit in units]
    paths = [
        RankPath(label=name, ranks=tuple(column[n] for column in columns))
        for n, (name, _, _) in enumerate(MODELS)
    ]
    return order_over_units(paths, units=units, configured="kWh")


def parts_picture() -> Picture | None:
    kwh = {
        "completed": 310.0, "failed": 64.0, "cancelled by a user": 21.0, "time limit": 40.2, "requeued": 3.1,
        "out of memory": 1.2, "held but idle": 55.0, "still running": 12.0,
    }  # fmt: skip
    return where_it_went(
        [EnergyPart(label=name, energy_millijoules=millijoules_from_kwh(used)) for name, used in kwh.items()],
    )


def shares_picture(count: int = 8) -> Picture | None:
    energy, hours, granted = used_by(count, 1), used_by(count, 2), used_by(count, 4)
    hours = [h * 0.3 + e for h, e in zip(hours, energy, strict=True)]
    return shares(
        [
            LabShares(
                label=lab, share_granted=None if n == 5 else granted[n] / sum(granted),
                share_of_energy=energy[n] / sum(energy), share_of_gpu_hours=hours[n] / sum(hours),
            )
            for n, lab in enumerate(labs(count))
        ],
    )  # fmt: skip


def forty_shares_picture() -> Picture | None:
    return shares_picture(40)


def lorenz_picture() -> Picture | None:
    curves = []
    for label, seed in (("energy", 1), ("GPU-hours", 2)):
        used = used_by(40, seed)
        corners, index = lorenz(used), gini(used)
        assert not isinstance(corners, Undefined) and not isinstance(index, Undefined)
        curves.append(LorenzCurve(label=label, corners=corners, gini=index))
    return lorenz_curves(curves, among="40 labs")


def waiting_picture(count: int = 8) -> Picture | None:
    medians = [30 * 8**value for value in used_by(count, 9)]
    return waiting(
        [
            LabWaiting(label=lab, jobs=17 * (n + 1), median_seconds=medians[n],
                       ninetieth_percentile_seconds=medians[n] * (2 + n))
            for n, lab in enumerate(labs(count))
        ],
    )  # fmt: skip


def projection_picture() -> Picture | None:
    def fitted(epochs: float) -> FittedPoint:
        kwh, off = 0.4 + 0.41 * epochs, 0.35 + 0.03 * abs(epochs - 9)
        return FittedPoint(
            amount=epochs, energy_millijoules=kwh * 3.6e9, least_millijoules=(kwh - off) * 3.6e9,
            most_millijoules=(kwh + off) * 3.6e9,
        )  # fmt: skip

    metered = [(1, 0.9), (5, 2.3), (10, 4.6), (15, 6.5), (20, 8.7)]
    return projection(
        [MeteredPoint(amount=a, energy_millijoules=millijoules_from_kwh(kwh)) for a, kwh in metered],
        [fitted(float(epochs)) for epochs in range(0, 101, 5)], fitted(90.0), axis="epochs",
    )  # fmt: skip


PICTURES: dict[str, Callable[[], Picture | None]] = {
    "days": day_picture, "months": months_picture, "accuracy": accuracy_picture, "small": small_picture,
    "hundreds": hundreds_picture, "sweep": sweep_picture, "orders": orders_picture, "alpha": alpha_picture,
    "units": units_picture, "parts": parts_picture, "shares": shares_picture, "forty": forty_shares_picture,
    "lorenz": lorenz_picture, "waiting": waiting_picture, "projection": projection_picture,
}  # fmt: skip
