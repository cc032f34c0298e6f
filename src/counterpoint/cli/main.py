"""The command ``counterpoint``: its verbs, and how it ends."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from counterpoint import __version__
from counterpoint.cli.bench import bench
from counterpoint.cli.breakdown import breakdown
from counterpoint.cli.convert import convert
from counterpoint.cli.devices import devices
from counterpoint.cli.explain import explain
from counterpoint.cli.explore import explore
from counterpoint.cli.inspect import inspect
from counterpoint.cli.loadgen import loadgen
from counterpoint.cli.output import say
from counterpoint.cli.pareto import pareto
from counterpoint.cli.plan import plan
from counterpoint.cli.platforms import platforms
from counterpoint.cli.profile import profile
from counterpoint.cli.report import report
from counterpoint.cli.reproduce import reproduce
from counterpoint.cli.run import run
from counterpoint.cli.simulate import simulate
from counterpoint.cli.tune import tune
from counterpoint.cli.verb import help_text, verb
from counterpoint.errors import CounterpointError, InternalError, MachineError, UserInputError

INTERRUPTED = 130
"""As shells report a program that SIGINT ended; likewise SIGPIPE."""
BROKEN_PIPE = 141

_MULTIPLE = ("--images", "-i", "--tensors")
"""Options that take every following word, as a shell's ``*.jpg`` makes them."""

_USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[2]
"""Base of what the parser raises; typer has it from click, or from its own copy of click."""

app = typer.Typer(
    name="counterpoint",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def counterpoint(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks; anywhere in the command.")
    ] = False,
) -> None:
    """Makes all the compute units of a machine play one convolutional network together.

    Example:
      counterpoint tune model.onnx -o model.plan.json
      counterpoint run model.onnx --plan model.plan.json --images photos --preprocess imagenet
    """


app.callback(help=help_text(counterpoint))(counterpoint)
for command in (
    devices,
    inspect,
    tune,
    run,
    profile,
    plan,
    pareto,
    simulate,
    explain,
    bench,
    breakdown,
    explore,
    convert,
    reproduce,
    loadgen,
    report,
):
    app.command(command.__name__)(verb(command))
app.add_typer(platforms, name="platforms")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        argv: The words after ``counterpoint``; ``None`` for those of the process.

    Returns:
        The exit status: 0, that of the error, 130 when interrupted, 141 when nobody reads the
        output.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if sys.stdout is None:  # closed by the caller
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - until the process ends
    debug = "--debug" in words or os.environ.get("COUNTERPOINT_DEBUG", "0") not in ("", "0")
    try:
        status = _run([word for word in words if word != "--debug"])
        sys.stdout.flush()
    except BrokenPipeError:
        _let_go_of_output()
        return BROKEN_PIPE
    except KeyboardInterrupt:
        say("interrupted; what was measured is kept, run it again to go on")
        return INTERRUPTED
    except Exception as error:
        if debug:
            traceback.print_exc()
        message, status = _explained(error)
        say(f"error: {message}")
    return status


def _run(words: list[str]) -> int:
    if words == ["--version"]:
        sys.stdout.write(f"counterpoint {__version__}\n")
        return 0
    command = typer.main.get_command(app)
    try:
        with command.make_context("counterpoint", _spread(words) or ["--help"]) as context:
            command.invoke(context)
    except typer.Exit as end:
        return end.exit_code
    return 0


def _spread(words: Sequence[str]) -> list[str]:
    """Repeats an option that takes several words before each of them."""
    spread: list[str] = []
    option = None  # the one that takes the words under way
    for word in words:
        if word.startswith("-"):
            option = word if word in _MULTIPLE else None
        elif option is not None and spread[-1] != option:
            spread.append(option)
        spread.append(word)
    return spread


def _explained(error: Exception) -> tuple[str, int]:
    """What to tell about an error, and the exit status."""
    if isinstance(error, InternalError):
        return f"{error}; please report this, with --debug", error.exit_code
    if isinstance(error, CounterpointError):
        return str(error), error.exit_code
    if isinstance(error, _USAGE_ERROR):
        told = error.format_message() if hasattr(error, "format_message") else str(error)
        return f"{told.rstrip('.')}; see --help", UserInputError.exit_code
    if isinstance(error, MemoryError):
        return "not enough memory; use a smaller network or batch", MachineError.exit_code
    if isinstance(error, OSError):
        return f"{error.strerror or error}", MachineError.exit_code
    kind = type(error).__name__
    return f"unexpected {kind}: {error}; please report this, with --debug", InternalError.exit_code


def _let_go_of_output() -> None:
    """Keeps the interpreter from writing to the broken pipe once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
