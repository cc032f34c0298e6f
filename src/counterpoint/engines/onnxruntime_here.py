"""Which of ONNX Runtime's providers can be used on this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from counterpoint.engines.onnxruntime_providers import NO_DEVICE
from counterpoint.engines.probing import ask

LIMIT_S = 60.0
"""CUDA's libraries take seconds to load the first time."""

CUDA = "CUDAExecutionProvider"


@dataclass(frozen=True, slots=True)
class ProvidersHere:
    """Providers beside the CPU's.

    Attributes:
        usable: They ran something in a child process.
        failures: Provider and reason, for those that did not.
    """

    usable: tuple[str, ...]
    failures: tuple[tuple[str, str], ...]


@cache
def providers_here(available: tuple[str, ...]) -> ProvidersHere:
    """Tries each of the library's providers in a child: a package for CUDA reports its provider
    also where there is no GPU, and a broken driver may crash.

    Args:
        available: ``onnxruntime.get_available_providers()``.
    """
    others = [p for p in available if p != "CPUExecutionProvider" and p not in NO_DEVICE]
    if not others:
        return ProvidersHere((), ())
    answer = ask("counterpoint.engines.onnxruntime_probe", *others, limit_s=LIMIT_S)
    if answer.failure is None:
        return _sorted(others, {name: answer.facts.get(name, "no answer") for name in others})
    if len(others) == 1:
        return ProvidersHere((), ((others[0], f"it {answer.failure} when it was tried"),))
    parts = [providers_here((name,)) for name in others]  # one of them took the others along
    return ProvidersHere(
        tuple(name for part in parts for name in part.usable),
        tuple(failure for part in parts for failure in part.failures),
    )


def _sorted(names: Sequence[str], reasons: dict[str, object]) -> ProvidersHere:
    return ProvidersHere(
        tuple(name for name in names if reasons[name] is None),
        tuple((name, str(reasons[name])) for name in names if reasons[name] is not None),
    )


def absent_lines(available: tuple[str, ...], plugin_failures: Mapping[str, str]) -> tuple[str, ...]:
    """What ONNX Runtime could use here and does not: a line each."""
    lines = [
        f"{name.removesuffix('ExecutionProvider')} by ONNX Runtime: {reason}"
        for name, reason in providers_here(available).failures
    ]
    lines += [f"{package}: {reason}" for package, reason in plugin_failures.items()]
    if CUDA not in available:
        gpu = any(Path("/dev").glob("nvidia[0-9]*"))
        lines.append(
            "CUDA: an NVIDIA GPU is here, and this ONNX Runtime has no provider for it: "
            "pip uninstall onnxruntime, then pip install 'counterpoint[cuda]'"
            if gpu
            else "CUDA: no NVIDIA GPU is found"
        )
    return tuple(lines)
