"""Which engines there are: ours and those that other packages announce."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.metadata import entry_points

from counterpoint.engines.ncnn import NcnnEngine
from counterpoint.engines.onnxruntime import OnnxRuntimeEngine
from counterpoint.engines.openvino import OpenVinoEngine
from counterpoint.engines.protocol import Engine, TellsAbsent
from counterpoint.engines.reference import ReferenceEngine
from counterpoint.errors import EngineError
from counterpoint.platform.model import Device, Platform

ENTRY_POINT_GROUP = "counterpoint.engines"
"""A package that brings an engine names a class without arguments under this group."""


@cache
def all_engines() -> Mapping[str, Engine]:
    """Every engine by name, installed or not; the reference evaluator included.

    Raises:
        EngineError: An announced engine cannot be loaded, or takes a name that is taken.
    """
    engines: dict[str, Engine] = {
        engine.name: engine
        for engine in (OnnxRuntimeEngine(), OpenVinoEngine(), NcnnEngine(), ReferenceEngine())
    }
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        try:
            engine = entry.load()()
        except Exception as error:
            raise EngineError(
                f"engine {entry.name!r} ({entry.value}) cannot be loaded: {error}; "
                "repair or remove its package"
            ) from error
        if not isinstance(engine, Engine) or engine.name in engines:
            raise EngineError(
                f"engine {entry.name!r} ({entry.value}) has no engine's methods, or a name taken"
            )
        engines[engine.name] = engine
    return engines


def planning_engines() -> Mapping[str, Engine]:
    """The engines whose units belong in a plan: all that are installed but the oracle."""
    return {
        name: engine
        for name, engine in all_engines().items()
        if name != ReferenceEngine.name and engine.missing_reason() is None
    }


def what_is_absent() -> tuple[str, ...]:
    """What the engines could use on this machine and do not find, a line each."""
    tell = [engine for engine in all_engines().values() if isinstance(engine, TellsAbsent)]
    return tuple(line for engine in tell for line in engine.absent())


def with_units(platform: Platform, engines: Mapping[str, Engine]) -> Platform:
    """The platform with the units that the engines offer on it, and the devices they found."""
    units = tuple(unit for engine in engines.values() for unit in engine.units(platform.devices))
    devices: dict[str, Device] = {device.name: device for device in platform.devices}
    for unit in units:
        for device in unit.devices:
            devices.setdefault(device.name, device)
    return replace(platform, devices=tuple(devices.values()), units=units)
