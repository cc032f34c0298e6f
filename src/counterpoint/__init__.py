"""Counterpoint makes all the compute units of a machine play one convolutional network together.

    import counterpoint as cp

    network = cp.load("model.onnx")
    result = cp.tune(network)
    with cp.Session(network, result.plan) as session:
        outputs = session.run(None, {"input": image})

Names are loaded on first use, so importing this package loads no engine.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from counterpoint.api import Session, devices, tune, tune_throughput
    from counterpoint.errors import CounterpointError
    from counterpoint.network.graph import Network
    from counterpoint.network.loading import load
    from counterpoint.schedule.plan import Plan
    from counterpoint.schedule.plan_file import load_plan, save_plan

__version__ = "0.1.0"

_HOME = {
    "CounterpointError": "counterpoint.errors",
    "Network": "counterpoint.network.graph",
    "Plan": "counterpoint.schedule.plan",
    "Session": "counterpoint.api",
    "devices": "counterpoint.api",
    "load": "counterpoint.network.loading",
    "load_plan": "counterpoint.schedule.plan_file",
    "save_plan": "counterpoint.schedule.plan_file",
    "tune": "counterpoint.api",
    "tune_throughput": "counterpoint.api",
}

__all__ = [
    "CounterpointError",
    "Network",
    "Plan",
    "Session",
    "devices",
    "load",
    "load_plan",
    "save_plan",
    "tune",
    "tune_throughput",
]


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'counterpoint' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
