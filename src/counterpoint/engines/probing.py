"""Questions to libraries and drivers that may crash or hang, asked in a child process.

A driver that dies while it is loaded takes the whole program with it. So whoever wants to know what
a driver finds asks a module of ours in a child, which prints one JSON object and ends.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MOST_BYTES_READ = 1 << 20
"""Of what a child says."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child process ended.

    Attributes:
        failure: ``None`` when it ended by itself with status 0; otherwise a sentence's end:
            ``crashed (SIGSEGV)``, ``did not answer within 10 s``.
        said: Its standard output, the last part where it is long.
        complained: Its standard error, likewise.
    """

    failure: str | None
    said: str
    complained: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a child told: facts, or why there are none."""

    facts: Mapping[str, Any]
    failure: str | None = None


def run_child(
    command: Sequence[str],
    *,
    limit_s: float,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Ended:
    """Runs a program in its own process group, which is killed when it takes too long.

    Args:
        command: The program and its arguments.
        limit_s: It may take so long.
        folder: Where it works; ``None`` for here.
        environment: Variables for it that the user has not set.
    """
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as complained:
        try:
            child = subprocess.Popen(  # noqa: S603 - our own command, no shell
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=complained,
                cwd=folder,
                env={**(environment or {}), **os.environ},
                start_new_session=True,
            )
        except OSError as error:
            return Ended(f"cannot be started ({error.strerror})", "", "")
        try:
            failure = _ending(child.wait(limit_s))
        except subprocess.TimeoutExpired:
            failure = f"did not answer within {limit_s:g} s"
        finally:
            _end(child)
        return Ended(failure, _tail(said), _tail(complained))


def ask(module: str, *arguments: str, limit_s: float, folder: Path | None = None) -> Answer:
    """Runs one of our modules in a child and reads the JSON object that is its last line.

    Args:
        module: Its full name; it runs as ``__main__``.
        arguments: For it.
        limit_s: It may take so long.
        folder: Where it works.
    """
    # -P: a file in the user's folder that is called like a library must not be taken for it.
    ended = run_child(
        [sys.executable, "-P", "-m", module, *arguments], limit_s=limit_s, folder=folder
    )
    if ended.failure is not None:
        return Answer({}, ended.failure)
    lines = ended.said.strip().splitlines()
    try:
        facts = json.loads(lines[-1] if lines else "")
    except (ValueError, RecursionError):
        facts = None
    if not isinstance(facts, dict):
        return Answer({}, "gave no answer that can be read")
    return Answer(facts)


def _ending(status: int) -> str | None:
    if status < 0:
        try:
            return f"crashed ({signal.Signals(-status).name})"
        except ValueError:
            return f"crashed (signal {-status})"
    return f"failed (status {status})" if status else None


def _end(child: subprocess.Popen[bytes]) -> None:
    """Nothing of it stays behind, nor of what it started."""
    try:
        if hasattr(os, "killpg"):
            os.killpg(child.pid, signal.SIGKILL)
        else:
            child.kill()
    except OSError:
        pass  # it is gone, and nothing of its group is left
    child.wait()


def _tail(file: Any) -> str:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - MOST_BYTES_READ))
    return bytes(file.read()).decode("utf-8", "replace")
