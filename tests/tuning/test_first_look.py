"""Units of engines that convert models are left out early when they are far behind."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from counterpoint.costs.store import Store
from counterpoint.engines.protocol import Engine
from counterpoint.errors import EngineError
from counterpoint.measure.sampling import Samples
from counterpoint.network.graph import Network, Subnetwork
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind, Platform
from counterpoint.tuning import first_look
from counterpoint.tuning.first_look import worth_profiling
from counterpoint.tuning.profiler import Profiler
from tests.fake_engine import FakeEngine, fake_network

CPU = Device("CPU", DeviceKind.CPU, cores=(0, 1))
PART = Device("CPU.0", DeviceKind.CPU, cores=(0,))
GPU = Device("GPU.0", DeviceKind.GPU)
SOFTWARE = Device("GPU.1", DeviceKind.GPU, cores=(0, 1))


class Converting(FakeEngine):
    """Needs long to make a segment ready."""

    def prepare(self, segments: Sequence[Subnetwork]) -> None:
        pass


def unit(engine: str, device: Device) -> ComputeUnit:
    return ComputeUnit(engine, (device,), "fp32")


QUICK = unit("quick", CPU)


class Looks:
    """Which units are left out when those of the quick engine take 100."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, network: Network) -> None:
        self.engines: dict[str, Engine] = {"quick": FakeEngine(), "slow": Converting()}
        self.network = network
        self.taken_ns: dict[str, int] = {}
        self.looked: list[str] = []
        monkeypatch.setattr(Profiler, "measure_segment", lambda *_: (Samples((100, 100, 100)), {}))
        monkeypatch.setattr(first_look, "_look", self.look)

    def look(self, profiler: Profiler, unit: ComputeUnit) -> int:
        self.looked.append(unit.name)
        if unit.name not in self.taken_ns:
            raise EngineError("it does not run")
        return self.taken_ns[unit.name]

    def left_out(
        self, units: Sequence[ComputeUnit], fixed: dict[int, tuple[str, ...]] | None = None
    ) -> list[str]:
        platform = Platform("p", "f", (CPU, PART, GPU, SOFTWARE), tuple(units))
        with Store.in_memory() as store:
            profiler = Profiler(self.network, platform, self.engines, store)
            kept, told = worth_profiling(profiler, units, fixed)
        gone = [unit.name for unit in units if unit not in kept]
        assert len(told) == len(gone)
        assert all(name in line for name, line in zip(gone, told, strict=True))
        return gone


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    return Looks(monkeypatch, fake_network([["x"], ["t0"]]))


@pytest.mark.parametrize(("taken_ns", "gone"), [(150, False), (200, False), (201, True)])
def test_far_behind(looks: Looks, taken_ns: int, gone: bool) -> None:
    slow = unit("slow", CPU)
    looks.taken_ns[slow.name] = taken_ns
    assert looks.left_out([QUICK, slow]) == ([slow.name] if gone else [])


def test_a_device_of_its_own_is_worth_a_profile_however_slow(looks: Looks) -> None:
    for device in (GPU, PART, SOFTWARE):
        looks.taken_ns[unit("slow", device).name] = 10_000
    # It takes what the CPU leaves free; half of the CPU leaves the other half free.
    assert looks.left_out([QUICK, unit("slow", GPU)]) == []
    assert looks.left_out([QUICK, unit("slow", PART)]) == []
    assert looks.left_out([QUICK, unit("slow", SOFTWARE)]) == [unit("slow", SOFTWARE).name]


def test_what_does_not_run_is_for_the_profiler_to_find_out(looks: Looks) -> None:
    assert looks.left_out([QUICK, unit("slow", CPU)]) == []
    assert looks.looked == [unit("slow", CPU).name]


def test_nothing_to_compare_with(looks: Looks) -> None:
    assert looks.left_out([unit("slow", CPU)]) == []
    assert looks.left_out([QUICK]) == []
    assert looks.looked == []


def test_what_the_user_asks_for_stays(looks: Looks) -> None:
    slow = unit("slow", CPU)
    looks.taken_ns[slow.name] = 10_000
    assert looks.left_out([QUICK, slow], {0: (slow.name,)}) == []
    assert looks.left_out([QUICK, slow], {0: (slow.name, QUICK.name)}) == [slow.name]
