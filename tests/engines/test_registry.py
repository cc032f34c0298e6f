"""Which engines there are, those of other packages included."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from counterpoint.engines import registry
from counterpoint.errors import EngineError
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind, Platform
from tests.fake_engine import FakeEngine

CPU = Device("CPU", DeviceKind.CPU)


class Announced(FakeEngine):
    def __init__(self) -> None:
        super().__init__(name="announced")


class NameTaken(FakeEngine):
    def __init__(self) -> None:
        super().__init__(name="openvino")


class NoEngine:
    name = "no engine"


class Broken:
    def __init__(self) -> None:
        raise OSError("libmissing.so: cannot open shared object file")


class Missing(Announced):
    def missing_reason(self) -> str | None:
        return "not plugged in"


@pytest.fixture
def announce(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Lets a test announce a class as another package would."""

    def announced(name: str) -> None:
        entry = EntryPoint("theirs", f"{__name__}:{name}", registry.ENTRY_POINT_GROUP)
        monkeypatch.setattr(registry, "entry_points", lambda group: [entry])
        monkeypatch.setattr(EntryPoint, "load", lambda self: globals()[name])

    registry.all_engines.cache_clear()
    yield announced
    registry.all_engines.cache_clear()


def test_our_own() -> None:
    assert list(registry.all_engines()) == ["onnxruntime", "openvino", "ncnn", "reference"]
    assert "reference" not in registry.planning_engines()


def test_an_announced_engine_joins(announce: Any) -> None:
    announce("Announced")
    assert isinstance(registry.all_engines()["announced"], Announced)
    assert "announced" in registry.planning_engines()


def test_an_engine_that_is_missing_is_not_planned_with(announce: Any) -> None:
    announce("Missing")
    assert "announced" in registry.all_engines()
    assert "announced" not in registry.planning_engines()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Broken", "cannot be loaded: libmissing.so"),
        ("NameTaken", "a name taken"),
        ("NoEngine", "no engine's methods"),
    ],
)
def test_engines_that_cannot_be_used_name_their_package(
    announce: Any, name: str, told: str
) -> None:
    announce(name)
    with pytest.raises(EngineError, match=told) as caught:
        registry.all_engines()
    assert "'theirs'" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_units_bring_their_devices_to_the_platform() -> None:
    gpu = Device("GPU.0", DeviceKind.GPU)

    class WithGpu(FakeEngine):
        def units(self, devices: Any) -> tuple[ComputeUnit, ...]:
            return (*super().units(devices), ComputeUnit(self.name, (gpu,), "fp16"))

    platform = Platform("machine", "fingerprint", (CPU,))
    engines = {"a": WithGpu(name="a"), "b": FakeEngine(name="b")}
    joined = registry.with_units(platform, engines)
    assert joined.devices == (CPU, gpu)
    assert [unit.name for unit in joined.units] == ["a:CPU@fp32", "a:GPU.0@fp16", "b:CPU@fp32"]
    assert joined.fingerprint == platform.fingerprint
