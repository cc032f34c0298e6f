"""MAC efficiency of the published single-core overlay on ordinary networks, by our model.

The authors give 91 % on average over nine networks; which nine was not found. Efficiency is
multiply-adds over 1024 multipliers x cycles.

Run: python benchmarks/overlay_efficiency.py [NETWORK ...]     (names, ONNX and Caffe files)
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from pathlib import Path

from counterpoint.costs.models.overlay.area import pe_efficiency
from counterpoint.costs.models.overlay.core import PUBLISHED_CORE, PUBLISHED_DESIGN
from counterpoint.costs.models.overlay.cycles import LayerCycles, layer_cycles
from counterpoint.costs.models.overlay.shapes import LayerKind, layer_shapes
from counterpoint.network.loading import load

NETWORKS = (
    *("zoo:alexnet", "zoo:vgg16", "zoo:googlenet", "zoo:resnet18", "zoo:resnet50"),
    *("zoo:squeezenet_v1.1", "zoo:yolov2"),
)


def efficiency(layers: Sequence[LayerCycles]) -> float:
    macs, cycles = sum(layer.macs for layer in layers), sum(layer.total for layer in layers)
    return pe_efficiency(macs, PUBLISHED_CORE.multipliers, cycles)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    networks = parser.parse_args().networks
    print(f"{'network':34} {'ms':>8} {'all':>7} {'convolutions':>13} {'without first':>14}")
    found = []
    for name in networks:
        seed = None if name.startswith("zoo:") or name.endswith(".onnx") else 0
        shapes = layer_shapes(load(name, seed=seed))
        layers = layer_cycles(shapes, PUBLISHED_CORE, PUBLISHED_DESIGN.dram_bytes_per_cycle)
        convolutions = [
            layer
            for layer, kind in zip(layers, shapes.kind, strict=True)
            if kind in (LayerKind.CONVOLUTION, LayerKind.DEPTHWISE)
        ]
        figures = (efficiency(layers), efficiency(convolutions), efficiency(convolutions[1:]))
        found.append(figures)
        ms = sum(layer.total for layer in layers) / PUBLISHED_CORE.clock_hz * 1e3
        label = name if name.startswith("zoo:") else Path(name).stem
        print(f"{label[:34]:34} {ms:8.2f} {figures[0]:7.1%} {figures[1]:13.1%} {figures[2]:14.1%}")
    means = [statistics.mean(column) for column in zip(*found, strict=True)]
    print(f"{'mean':34} {'':8} {means[0]:7.1%} {means[1]:13.1%} {means[2]:14.1%}")
    print("published, mean of nine: 91 %")


if __name__ == "__main__":
    main()
