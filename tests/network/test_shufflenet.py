"""The builder of ShuffleNet beside the Caffe file that it takes its names from."""

from __future__ import annotations

from dataclasses import replace

from counterpoint.network.loading import load
from tests.shared_data import require


def test_same_loops_as_the_caffe_file() -> None:
    path = require("architectures/shufflenet/shufflenet_1x_g3_deploy.prototxt")
    built, read = load("zoo:shufflenet_v1"), load(path, seed=0)
    loops = [
        [
            (layer.kind, replace(layer.loops, pads=(0, 0, 0, 0)))
            for layer in network.layers
            if layer.loops is not None
        ]
        for network in (built, read)
    ]
    assert len(loops[0]) == 50
    assert loops[0] == loops[1]
    assert built.macs == read.macs == 127_061_304
