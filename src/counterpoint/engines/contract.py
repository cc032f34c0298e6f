"""Checks that an engine keeps the promises of :mod:`counterpoint.engines.protocol`.

A package that brings an engine calls this from its own tests:

    assert check_engine(MyEngine(), [Device("CPU", DeviceKind.CPU)]) == ()
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from counterpoint.engines.contract_cases import ContractCase, foreign_network, standard_cases
from counterpoint.engines.contract_faults import FaultChecks
from counterpoint.engines.contract_runs import RunChecks, check_error
from counterpoint.engines.protocol import Engine
from counterpoint.errors import EngineError
from counterpoint.network.graph import Network
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind


def check_engine(
    engine: Engine, devices: Sequence[Device], *, cases: Sequence[ContractCase] | None = None
) -> tuple[str, ...]:
    """What the engine does otherwise than it should.

    Args:
        engine: What to check.
        devices: What ``units`` is to be asked for: a CPU, groups of its cores.
        cases: Networks to run; :func:`standard_cases` where there is no reason for others.

    Returns:
        One line for each broken promise; empty when all are kept.
    """
    found = [*_check_units(engine, devices)]
    if engine.missing_reason() is not None:
        return tuple(found)
    chosen = standard_cases() if cases is None else cases
    for unit in engine.units(devices):
        can_run = [case for case in chosen if not _refused(engine, unit, case.network)]
        if not can_run:
            found.append(f"{unit.name}: runs none of the {len(chosen)} networks")
        for case in can_run:
            checks = RunChecks(engine, unit, case)
            found += [f"{unit.name}: {case.name}: {line}" for line in checks.broken()]
        for case in can_run[:1]:
            faults = FaultChecks(engine, unit, case)
            found += [f"{unit.name}: {case.name}: {line}" for line in faults.broken()]
        for network in (*(case.network for case in chosen), foreign_network()):
            found += [f"{unit.name}: {line}" for line in _check_reasons(engine, unit, network)]
        found += [f"{unit.name}: {line}" for line in _check_refusal(engine, unit)]
    return tuple(found)


def _check_units(engine: Engine, devices: Sequence[Device]) -> Iterator[str]:
    """Names are promises: well formed, unique, and the same when asked again."""
    if not engine.name or not engine.version():
        yield "the engine has no name or no version"
    units = engine.units(devices)
    reason = engine.missing_reason()
    if reason is not None:
        if units:
            yield f"it says that it is missing ({reason}) and offers {units[0].name}"
        if not reason.strip():
            yield "it is missing and does not say why"
        return
    if not units:
        yield "it is there and offers no unit"
    if units != engine.units(devices):
        yield "it offers other units when asked again"
    names = [unit.name for unit in units]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"two units are called {name}"
    for unit in units:
        if unit.engine != engine.name:
            yield f"{unit.name} names another engine than {engine.name}"
        for device in unit.devices:
            if device.kind is DeviceKind.CPU and device not in devices:
                yield f"{unit.name} is on {device.name}, which is none of the CPUs given"


def _refused(engine: Engine, unit: ComputeUnit, network: Network) -> bool:
    return any(engine.unsupported_reason(layer, unit) for layer in network.layers)


def _check_reasons(engine: Engine, unit: ComputeUnit, network: Network) -> Iterator[str]:
    for layer in network.layers:
        reason = engine.unsupported_reason(layer, unit)
        if reason != engine.unsupported_reason(layer, unit):
            yield f"unsupported_reason of {layer.name} differs when asked again"
        if reason is not None and not (isinstance(reason, str) and reason.strip()):
            yield f"unsupported_reason of {layer.name} is {reason!r}: neither a sentence nor None"


def _check_refusal(engine: Engine, unit: ComputeUnit) -> Iterator[str]:
    """What it says it cannot run, it refuses with an error that says who and where."""
    network = foreign_network()
    if not _refused(engine, unit, network):
        return
    try:
        engine.compile(network.whole(), unit).close()
    except EngineError as error:
        yield from check_error(error, network.whole(), unit)
    except Exception as error:
        yield f"compile raised {type(error).__name__} for a layer that it refuses, no EngineError"
    else:
        yield "compile accepted a layer that unsupported_reason refuses"
