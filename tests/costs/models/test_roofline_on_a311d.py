"""A roofline fitted to what somebody measured: AlexNet's stages on an Amlogic A311D.

Each stage is one convolution or product, with the normalisation and pooling behind it.
"""

from __future__ import annotations

import csv

import pytest

from counterpoint.costs.models.roofline import Roofline
from counterpoint.costs.models.roofline_fit import Measured, RooflineFit, fit
from counterpoint.network.loading import load
from tests.shared_data import require

PEAKS = {"cpu_big_4xA73": 35.2e9, "gpu_mali_g52": 38.4e9}
"""Multiply-adds a second in fp32: assumed. They are only what the efficiencies are shares of."""


def fitted(unit: str) -> RooflineFit:
    path = require("measurements/a311d_khadas_vim3/layers.csv")
    with path.open(newline="") as file:
        times_ms = [
            float(row["task_ms"])
            for row in csv.DictReader(file)
            if row["network"] == "alexnet" and row["unit"] == unit
        ]
    layers = [layer for layer in load("zoo:alexnet").layers if layer.macs]
    samples = [
        Measured(layer, round(time_ms * 1e6))
        for layer, time_ms in zip(layers, times_ms, strict=True)
    ]
    return fit(Roofline(peak_macs_per_s=PEAKS[unit], bandwidth_bytes_per_s=1e10), samples)


@pytest.mark.parametrize("unit", PEAKS)
def test_the_fit_and_its_error(unit: str) -> None:
    told = fitted(unit)
    assert told.samples == 8
    assert told.mean_error < 0.20  # 18.0 % and 19.7 %
    assert abs(told.total_error) < 0.13  # -12.4 % and -4.6 %
    assert all(0 < share <= 1 for share in told.model.efficiency.values())
