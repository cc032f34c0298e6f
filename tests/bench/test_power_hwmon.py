"""Sensors under a recorded ``/sys``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from counterpoint.bench.energy.hwmon import hwmon_source
from counterpoint.bench.energy.source import Quantity, Readings
from counterpoint.errors import MachineError
from counterpoint.platform.kernel_files import KernelFiles


def tree(root: Path, chips: Mapping[str, Mapping[str, str]]) -> KernelFiles:
    for name, files in chips.items():
        folder = root / "sys/class/hwmon" / name
        folder.mkdir(parents=True)
        for file, text in files.items():
            (folder / file).write_text(text + "\n")
    return KernelFiles(root)


def test_an_ina226_shows_power(tmp_path: Path) -> None:
    files = tree(
        tmp_path,
        {
            "hwmon0": {"name": "cpu_thermal", "temp1_input": "48000"},
            "hwmon1": {"name": "ina226", "power1_input": "3250000", "in1_input": "5000"},
        },
    )
    source = hwmon_source(files)
    assert source is not None
    assert source.name == "hwmon ina226"
    (gauge,) = source.gauges
    assert (gauge.domain, gauge.quantity) == ("ina226 1", Quantity.POWER_UW)
    assert gauge.read() == 3_250_000
    assert source.interval_ns == 100_000_000


def test_rails_of_an_ina3221_are_volts_times_amperes(tmp_path: Path) -> None:
    files = tree(
        tmp_path,
        {
            "hwmon3": {
                "name": "ina3221",
                "in1_label": "VDD_GPU_SOC", "in1_input": "5000", "curr1_input": "800",
                "in2_label": "VDD_CPU_CV", "in2_input": "5000", "curr2_input": "400",
                "in7_label": "sum of shunt voltages", "in7_input": "1",
            }
        },
    )  # fmt: skip
    source = hwmon_source(files)
    assert source is not None
    assert {g.domain: g.read() for g in source.gauges} == {
        "VDD_GPU_SOC": 4_000_000,
        "VDD_CPU_CV": 2_000_000,
    }


def test_the_rail_that_feeds_the_others_counts_alone(tmp_path: Path) -> None:
    files = tree(
        tmp_path,
        {
            "hwmon3": {
                "name": "ina3221",
                "in1_label": "VDD_IN", "in1_input": "5000", "curr1_input": "2000",
                "in2_label": "VDD_CPU_GPU_CV", "in2_input": "5000", "curr2_input": "400",
            }
        },
    )  # fmt: skip
    source = hwmon_source(files)
    assert source is not None
    assert [(g.domain, g.read()) for g in source.gauges] == [("VDD_IN", 10_000_000)]


def test_a_chip_that_is_slower_sets_the_rate(tmp_path: Path) -> None:
    files = tree(
        tmp_path,
        {
            "hwmon0": {"name": "ltc2947", "energy1_input": "77", "power1_input": "5"},
            "hwmon1": {"name": "ina219", "power1_input": "5", "update_interval": "1000"},
        },
    )
    source = hwmon_source(files, interval_ns=10_000_000)
    assert source is not None
    assert source.interval_ns == 1_000_000_000
    assert [g.quantity for g in source.gauges] == [Quantity.ENERGY_UJ, Quantity.POWER_UW]


def test_batteries_and_thermometers_are_no_source(tmp_path: Path) -> None:
    files = tree(tmp_path, {"hwmon0": {"name": "BAT0", "power1_input": "5"}})
    assert hwmon_source(files) is None
    assert hwmon_source(KernelFiles(tmp_path / "nothing")) is None


def test_a_sensor_that_vanishes_is_told(tmp_path: Path) -> None:
    files = tree(tmp_path, {"hwmon0": {"name": "ina226", "power1_input": "5"}})
    source = hwmon_source(files)
    assert source is not None
    clock = iter(range(100))
    readings = Readings(source.gauges, lambda: next(clock))
    readings.take()
    (tmp_path / "sys/class/hwmon/hwmon0/power1_input").unlink()
    readings.take()
    with pytest.raises(MachineError, match="ina226 1 cannot be read any more"):
        readings.traces()
