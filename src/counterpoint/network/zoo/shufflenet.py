"""ShuffleNet v1, 1x with 3 groups: Zhang et al., arXiv 1707.01083 (CVPR 2018), table 1.

Layer names and the narrower first bottleneck (a quarter of the 216 channels that it makes, beside
the 24 of its shortcut) of the Caffe port (github.com/farmingyard/ShuffleNet). Units as in figure 2:
the first 1x1 convolution of all has no groups, and shortcuts of stride 2 are averages that are
concatenated.
"""

from counterpoint.network.zoo.builder import LOGIT_GAIN, GraphBuilder, Tensor

GROUPS = 3

_STAGES = ((240, 4), (480, 8), (960, 4))
"""Output channels and units of each stage; the first unit of each has stride 2."""

_BRANCH_GAIN = 0.5
"""Deviation of a residual branch beside a trunk of 1, as in MobileNet v2."""


def shufflenet_v1(net: GraphBuilder, image: Tensor) -> Tensor:
    """``(N, 3, 224, 224)`` to logits ``(N, 1000)``; softmax omitted."""
    x = net.relu(net.conv_bn(image, "conv1", 24, 3, stride=2, pad=1))
    x = net.max_pool(x, "pool1", 3, stride=2, ceil_mode=True)
    unit = 0
    for channels, repeats in _STAGES:
        for repeat in range(repeats):
            unit += 1
            x = _reducing(net, x, unit, channels) if repeat == 0 else _residual(net, x, unit)
    x = net.conv(net.global_average_pool(x, "pool_ave"), "fc1000", 1000, 1, gain=LOGIT_GAIN)
    return net.flatten(x, "flatten")


def _residual(net: GraphBuilder, x: Tensor, unit: int) -> Tensor:
    y = _branch(net, x, unit, x.channels, stride=1, gain=_BRANCH_GAIN)
    return net.relu(net.add(x, y, f"resx{unit}_elewise"))


def _reducing(net: GraphBuilder, x: Tensor, unit: int, channels: int) -> Tensor:
    shortcut = net.average_pool(x, f"resx{unit}_match_conv", 3, stride=2, pad=1)
    y = _branch(net, x, unit, channels - x.channels, stride=2)
    return net.relu(net.concat((shortcut, y), f"resx{unit}_concat"))


def _branch(
    net: GraphBuilder, x: Tensor, unit: int, channels: int, *, stride: int, gain: float = 1.0
) -> Tensor:
    """The way through the bottleneck, a quarter as wide as what it makes."""
    name, narrow = f"resx{unit}", channels // 4
    groups = GROUPS if unit > 1 else 1
    y = net.relu(net.conv_bn(x, f"{name}_conv1", narrow, 1, groups=groups))
    if groups > 1:
        y = _shuffle(net, y, f"shuffle{unit}")
    y = net.conv_bn(y, f"{name}_conv2", narrow, 3, stride=stride, pad=1, groups=narrow)
    return net.conv_bn(y, f"{name}_conv3", channels, 1, groups=GROUPS, gain=gain)


def _shuffle(net: GraphBuilder, x: Tensor, name: str) -> Tensor:
    """Channel ``g * n + i`` becomes channel ``i * GROUPS + g``: the next groups see all groups."""
    batch, channels, height, width = x.shape
    y = net.reshape(x, f"{name}/apart", (batch, GROUPS, channels // GROUPS, height, width))
    y = net.transpose(y, f"{name}/across", (0, 2, 1, 3, 4))
    return net.reshape(y, name, x.shape)
