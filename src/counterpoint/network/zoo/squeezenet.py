"""SqueezeNet: Iandola et al., arXiv 1602.07360, and its v1.1 (github.com/forresti/SqueezeNet).

v1.0 takes 227x227 images and follows the released prototxt, whose 1x1 conv10 has a padding of 1
(15x15 outputs where the paper's table 1 has 13x13; "benign quirks like this sometimes creep in",
issue 14 there). v1.1 takes 224x224 images, as in the ONNX model zoo, so that every pooling divides
evenly; at the 227x227 of its released prototxt Caffe's rounding decides (issue 33).
v1.0: 0.861 G multiply-adds, 1 248 424 weights; v1.1: 0.349 G, 1 235 496.
"""

from counterpoint.network.zoo.builder import LOGIT_GAIN, GraphBuilder, Tensor

_FIRES = {2: 16, 3: 16, 4: 32, 5: 32, 6: 48, 7: 48, 8: 64, 9: 64}
"""Squeeze channels of fire2 to fire9; each expand half has four times as many."""

_MAP_GAIN = 6 * LOGIT_GAIN
"""The logits are averages of conv10's maps, which evens out most of their deviation."""


def squeezenet_v1_0(net: GraphBuilder, image: Tensor) -> Tensor:
    """``(N, 3, 227, 227)`` to probabilities ``(N, 1000)``; dropout omitted."""
    x = net.relu(net.conv(image, "conv1", 96, 7, stride=2))
    x = _fires(net, net.max_pool(x, "pool1", 3, stride=2), pools_after=(4, 8))
    return _classifier(net, x, pad=1)


def squeezenet_v1_1(net: GraphBuilder, image: Tensor) -> Tensor:
    """``(N, 3, 224, 224)`` to probabilities ``(N, 1000)``; dropout omitted."""
    x = net.relu(net.conv(image, "conv1", 64, 3, stride=2))
    x = _fires(net, net.max_pool(x, "pool1", 3, stride=2), pools_after=(3, 5))
    return _classifier(net, x, pad=0)


def _fires(net: GraphBuilder, x: Tensor, *, pools_after: tuple[int, ...]) -> Tensor:
    for number, squeeze in _FIRES.items():
        name = f"fire{number}"
        x = net.relu(net.conv(x, f"{name}/squeeze1x1", squeeze, 1))
        left = net.relu(net.conv(x, f"{name}/expand1x1", 4 * squeeze, 1))
        right = net.relu(net.conv(x, f"{name}/expand3x3", 4 * squeeze, 3, pad=1))
        x = net.concat((left, right), f"{name}/concat")
        if number in pools_after:
            x = net.max_pool(x, f"pool{number}", 3, stride=2)
    return x


def _classifier(net: GraphBuilder, x: Tensor, *, pad: int) -> Tensor:
    x = net.relu(net.conv(x, "conv10", 1000, 1, pad=pad, gain=_MAP_GAIN))
    x = net.flatten(net.global_average_pool(x, "pool10"), "flatten")
    return net.softmax(x, "prob")
