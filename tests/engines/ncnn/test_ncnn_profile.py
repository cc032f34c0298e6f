"""Times of ncnn's layers go to the network's layers that they came from."""

from __future__ import annotations

from counterpoint.engines.ncnn_profile import layer_times
from counterpoint.network.loading import load

CONV = "Convolution"


def test_layers_between_two_convolutions_share_what_is_between() -> None:
    network = load("zoo:squeezenet_v1.1")
    segment = network.subnetwork(range(8))  # conv, pool, 3 convs, concat, 2 convs
    kinds = [layer.kind for layer in segment.layers]
    assert kinds == ["Conv", "MaxPool", "Conv", "Conv", "Conv", "Concat", "Conv", "Conv"]
    types = ["Input", CONV, "Pooling", CONV, "Split", CONV, CONV, "Concat", CONV, CONV]
    times = [1, 100, 20, 200, 3, 300, 400, 50, 600, 700]
    profile = layer_times(segment, types, times)
    assert profile is not None
    # A Split has no layer of its own: it belongs to the convolution before it.
    assert profile.layer_ns == {0: 100, 1: 20, 2: 203, 3: 300, 4: 400, 5: 50, 6: 600, 7: 700}
    assert profile.overhead_ns == 1
    assert sum(profile.layer_ns.values()) + profile.overhead_ns == sum(times)


def test_convolutions_that_pnnx_was_given_are_no_layers() -> None:
    segment = load("zoo:squeezenet_v1.1").subnetwork(range(3))
    types, times = ["Input", CONV, CONV, "Pooling", CONV], [0, 10, 20, 30, 40]
    assert layer_times(segment, types, times) is None, "one convolution too many"
    profile = layer_times(segment, types, times, inserted=[1])
    assert profile is not None
    assert profile.layer_ns == {0: 10, 1: 50, 2: 40}
    assert layer_times(segment, types, times, inserted=[0, 1]) is None
