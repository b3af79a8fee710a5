"""sam-cluster: finds the command, runs it, and is the only place that prints an error.

A command's module is imported when it is called, and what it needs when it runs: asking for help
loads no table library.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import import_module

from sam_cluster import __version__
from sam_cluster.core.errors import EXIT_FAILED, EXIT_USAGE, SamClusterError

COMMANDS = (
    "demo", "run", "aggregate", "jobs", "ledger", "submit", "confirm", "results", "report", "score",
    "project", "doctor", "selftest",
)  # fmt: skip

EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells have it

DESCRIPTION = "Energy accounting for shared GPU clusters under Slurm: joules per job, SAM, and equity."
EPILOG = """exit codes: 0 done, 1 failed, 2 usage, 3 done but incomplete.
Data goes to stdout, all else to stderr."""


def build_parser(commands: Sequence[str] = COMMANDS) -> argparse.ArgumentParser:
    """The parser of the named commands; imports their modules and no others."""
    parser = argparse.ArgumentParser(
        prog="sam-cluster",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"sam-cluster {__version__}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for name in commands:
        module = import_module(f"sam_cluster.cli.{name}")
        subparser = subparsers.add_parser(
            name,
            help=module.HELP,
            description=module.HELP,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        module.configure(subparser)
        subparser.set_defaults(run=module.run, complain=subparser.error)
    return parser


def main(
    argv: Sequence[str] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    now: datetime | None = None,
) -> int:
    """Runs one command line and returns its exit code. `environ` and `now` stand for the machine's own."""
    words = list(sys.argv[1:] if argv is None else argv)
    _let_any_text_be_printed()
    try:
        named = next((word for word in words if not word.startswith("-")), None)
        parser = build_parser((named,) if named in COMMANDS else COMMANDS)
        args, unknown = parser.parse_known_args(words)
        if unknown:  # said with the usage of the command, not of sam-cluster
            args.complain(f"unrecognized arguments: {' '.join(unknown)}")
        args.environ = os.environ if environ is None else environ
        args.now = datetime.now(UTC) if now is None else now
        code = int(args.run(args))
        sys.stdout.flush()
        return code
    except SystemExit as leaving:  # argparse has printed what it had to say
        return leaving.code if isinstance(leaving.code, int) else EXIT_USAGE
    except SamClusterError as error:
        _complain(str(error))
        return error.exit_code
    except BrokenPipeError:
        # The reader has gone (`| head`); without this Python complains once more while it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except OSError as error:
        _complain(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        return EXIT_FAILED
    except KeyboardInterrupt:
        _complain("interrupted")
        return EXIT_INTERRUPTED


def _complain(text: str) -> None:
    # A message may quote what a user named, so that control characters in it stay characters.
    shown = "".join(c if c.isprintable() or c == "\n" else f"\\u{ord(c):04x}" for c in text)
    print(f"sam-cluster: {shown}", file=sys.stderr)


def _let_any_text_be_printed() -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
