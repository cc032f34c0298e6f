"""What Zeus finds, on the machines that Zeus knows: its own classes over recorded files."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from counterpoint.bench.energy import zeus
from counterpoint.bench.energy.source import PolledSource, Quantity, Readings
from counterpoint.bench.energy.trace import CounterTrace
from counterpoint.bench.energy.zeus import card_gauge, chip_gauges, rapl_gauges, zeus_source

rapl = pytest.importorskip("zeus.device.cpu.rapl", reason="Zeus is not installed")
jetson = pytest.importorskip("zeus.device.soc.jetson")
apple = pytest.importorskip("zeus.device.soc.apple")


def zone(folder: Path, name: str, energy_uj: int, range_uj: int) -> Path:
    folder.mkdir(parents=True)
    for file, text in (
        ("name", name), ("energy_uj", energy_uj), ("max_energy_range_uj", range_uj)
    ):  # fmt: skip
        (folder / file).write_text(f"{text}\n")
    return folder / "energy_uj"


def test_rapl_zones_wrap_around_each_by_itself(tmp_path: Path) -> None:
    package = zone(tmp_path / "intel-rapl:0", "package-0", 990, 1000)
    memory = zone(tmp_path / "intel-rapl:0" / "intel-rapl:0:0", "dram", 45, 50)
    zone(tmp_path / "intel-rapl:0" / "intel-rapl:0:1", "core", 1, 1000)
    gauges = tuple(rapl_gauges(rapl.RAPLCPU(0, str(tmp_path))))
    ticks = iter(range(100))
    readings = Readings(gauges, lambda: next(ticks) // 2 * 10)
    for package_uj, memory_uj in ((990, 45), (15, 49), (400, 3)):
        package.write_text(f"{package_uj}\n")
        memory.write_text(f"{memory_uj}\n")
        readings.take()
    assert readings.traces() == (
        CounterTrace("package-0", (0, 20, 40), (990, 15, 400), 1000),
        CounterTrace("dram-0", (10, 30, 50), (45, 49, 3), 50),
    )


def test_processors_behind_zeus_daemon() -> None:
    shown = SimpleNamespace(cpu_mj=1.5, dram_mj=0.25)
    daemon = SimpleNamespace(
        cpu_index=1,
        get_total_energy_consumption=lambda: shown,
        supports_get_dram_energy_consumption=lambda: True,
    )
    assert [(g.domain, g.read()) for g in rapl_gauges(daemon)] == [
        ("package-1", 1500),
        ("dram-1", 250),
    ]


@pytest.mark.parametrize("counts", [True, False])
def test_a_card_counts_energy_or_shows_power(counts: bool) -> None:
    cards = SimpleNamespace(
        supports_get_total_energy_consumption=lambda index: counts,
        get_total_energy_consumption=lambda index: 123,  # mJ
        get_instant_power_usage=lambda index: 65_250,  # mW
    )
    gauge = card_gauge(cards, 2)
    assert gauge.domain == "GPU.2"
    expected = (Quantity.ENERGY_UJ, 123_000) if counts else (Quantity.POWER_UW, 65_250_000)
    assert (gauge.quantity, gauge.read()) == expected


def test_a_jetsons_input_rail_counts_alone() -> None:
    rails = jetson.JetsonMeasurement(cpu_energy_mj=1.0, gpu_energy_mj=2.0, total_energy_mj=4.0)
    chip = SimpleNamespace(get_total_energy_consumption=lambda: rails)
    assert [(g.domain, g.read()) for g in chip_gauges(chip)] == [("total", 4000)]
    rails.total_energy_mj = None
    assert [(g.domain, g.read()) for g in chip_gauges(chip)] == [("cpu", 1000), ("gpu", 2000)]


def test_parts_of_an_apple_processor_do_not_count_twice() -> None:
    shown = apple.AppleSiliconMeasurement(
        cpu_total_mj=10,
        efficiency_cores_mj=[1, 2],
        efficiency_core_manager_mj=1,
        gpu_mj=5,
        ane_mj=3,
    )
    chip = SimpleNamespace(get_total_energy_consumption=lambda: shown)
    assert [(g.domain, g.read()) for g in chip_gauges(chip)] == [
        ("cpu_total", 10_000),
        ("gpu", 5000),
        ("ane", 3000),
    ]


def test_a_machine_without_counters_says_which_are_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nothing() -> list[object]:
        raise PermissionError("RAPL requires root\nprivileges.")

    for find in ("_processors", "_cards", "_systems_on_chip"):
        monkeypatch.setattr(zeus, find, nothing)
    told = "RAPL requires root privileges"
    assert zeus_source() == (
        f"Zeus: RAPL: {told}, NVML or AMD SMI: {told}, Jetson or Apple silicon: {told}"
    )

    class ZeusGPUInitError(Exception):
        pass

    def not_here() -> list[object]:
        raise ZeusGPUInitError("NVML and AMDSMI unavailable.")

    for find in ("_processors", "_cards", "_systems_on_chip"):
        monkeypatch.setattr(zeus, find, not_here)
    assert zeus_source() == "Zeus: no RAPL, no NVML or AMD SMI, no Jetson or Apple silicon"


def test_what_is_found_is_one_source(monkeypatch: pytest.MonkeyPatch) -> None:
    cards = SimpleNamespace(
        supports_get_total_energy_consumption=lambda index: True,
        get_total_energy_consumption=lambda index: 1,
    )
    monkeypatch.setattr(zeus, "_processors", lambda: iter(()))
    monkeypatch.setattr(zeus, "_systems_on_chip", lambda: iter(()))
    monkeypatch.setattr(zeus, "_cards", lambda: iter([card_gauge(cards, 0)]))
    source = zeus_source(interval_ns=10**9)
    assert isinstance(source, PolledSource)
    assert source.name.startswith("Zeus ")
    assert source.interval_ns == 10**9
