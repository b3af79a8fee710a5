"""sam-cluster score: the metric as a calculator."""

from __future__ import annotations

import argparse
import math
import sys

from sam_cluster.cli import options
from sam_cluster.cli.show import Column, show
from sam_cluster.core.accuracy import parse_accuracy
from sam_cluster.core.config_keys import ELECTRICITY_UNITS
from sam_cluster.core.errors import EXIT_DONE, UsageError
from sam_cluster.metrics import Undefined, sam, sam_log1p
from sam_cluster.report import numbers, words

HELP = "SAM of an accuracy and an energy: beta × accuracy^alpha / log10(electricity)"

#: Each under a key of its own, so that nobody takes the one for the other.
VARIANTS = {"sam": sam, "sam_log1p": sam_log1p}
HEADINGS = {"sam": "SAM", "sam_log1p": "SAM, log10(1 + E)"}

SETTINGS = ("accuracy", "energy_kwh", "alpha", "beta", "unit")
COLUMNS = (
    Column("Accuracy", "accuracy", numbers.accuracy, right=True),
    Column("kWh", "energy_kwh", numbers.setting, right=True),
    Column("Alpha", "alpha", numbers.setting, right=True),
    Column("Beta", "beta", numbers.setting, right=True),
    Column("Unit", "unit"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's flags."""
    parser.add_argument(
        "--accuracy",
        required=True,
        metavar="V",
        help="a fraction (0.763) or a percentage with its sign (76.3%%)",
    )
    parser.add_argument("--kwh", required=True, metavar="E", help="electricity in kilowatt-hours")
    parser.add_argument(
        "--alpha", metavar="A", help="exponent of the accuracy (default: [sam] of the configuration)"
    )
    parser.add_argument("--beta", metavar="B", help="scale (default: [sam] of the configuration)")
    parser.add_argument(
        "--unit",
        choices=ELECTRICITY_UNITS,
        help="what the logarithm counts in; another unit is another metric",
    )
    parser.add_argument(
        "--variant",
        choices=tuple(VARIANTS),
        default="sam",
        help="sam_log1p has log10(1 + electricity) and is another metric (default: %(default)s)",
    )
    options.add_config(parser)
    options.add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Prints the score, or why there is none."""
    config = options.config_of(args)
    row: dict[str, object] = {
        "accuracy": parse_accuracy(args.accuracy),
        "energy_kwh": _number("--kwh", args.kwh, least=0.0),
        "alpha": config.alpha if args.alpha is None else _number("--alpha", args.alpha, above=0.0),
        "beta": config.beta if args.beta is None else _number("--beta", args.beta, above=0.0),
        "unit": args.unit or config.unit,
    }
    name: str = args.variant
    score = VARIANTS[name](**row)  # type: ignore[arg-type]
    if isinstance(score, Undefined):
        row |= {name: None, f"{name}_reason": score.reason.value}
        print(f"{HEADINGS[name]} is undefined: {words.UNDEFINED[score.reason]}", file=sys.stderr)
    elif math.isfinite(score):
        row |= {name: score, f"{name}_reason": None}
    else:
        raise UsageError("the score is beyond what a number can hold; --beta only scales, so take a smaller")
    keys = (name, f"{name}_reason", *SETTINGS)
    columns = (
        Column(HEADINGS[name], name, "{:.6g}".format, right=True),
        *COLUMNS,
        Column("Undefined because", f"{name}_reason"),
    )
    show([{key: row[key] for key in keys}], keys, columns, args.format, sys.stdout)
    return EXIT_DONE


def _number(flag: str, text: str, *, least: float | None = None, above: float | None = None) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isfinite(value) and (least is None or value >= least) and (above is None or value > above):
        return value
    bound = f"of at least {least:g}" if above is None else f"above {above:g}"
    raise UsageError(f"{flag} must be a finite number {bound}, not {text!r}")
