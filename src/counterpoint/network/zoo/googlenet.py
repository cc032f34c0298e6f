"""GoogLeNet: Szegedy et al., "Going Deeper with Convolutions", CVPR 2015, table 1.

The shape is BVLC's ``bvlc_googlenet/deploy.prototxt``: inference only, so without the two auxiliary
classifiers; pooling rounds sizes up. 1.583 G multiply-adds and 6 998 552 weights.
"""

from dataclasses import dataclass

from counterpoint.network.zoo.builder import LOGIT_GAIN, GraphBuilder, Tensor


@dataclass(frozen=True, slots=True)
class _Inception:
    """A row of table 1: output channels of the six convolutions of one inception module."""

    name: str
    conv1x1: int
    reduce3x3: int
    conv3x3: int
    reduce5x5: int
    conv5x5: int
    pool_proj: int


_STAGES = (
    (
        _Inception("inception_3a", 64, 96, 128, 16, 32, 32),
        _Inception("inception_3b", 128, 128, 192, 32, 96, 64),
    ),
    (
        _Inception("inception_4a", 192, 96, 208, 16, 48, 64),
        _Inception("inception_4b", 160, 112, 224, 24, 64, 64),
        _Inception("inception_4c", 128, 128, 256, 24, 64, 64),
        _Inception("inception_4d", 112, 144, 288, 32, 64, 64),
        _Inception("inception_4e", 256, 160, 320, 32, 128, 128),
    ),
    (
        _Inception("inception_5a", 256, 160, 320, 32, 128, 128),
        _Inception("inception_5b", 384, 192, 384, 48, 128, 128),
    ),
)


def googlenet(net: GraphBuilder, image: Tensor) -> Tensor:
    """``(N, 3, 224, 224)`` to probabilities ``(N, 1000)``; dropout omitted."""
    x = net.relu(net.conv(image, "conv1/7x7_s2", 64, 7, stride=2, pad=3))
    x = _halve(net, x, "pool1/3x3_s2")
    x = net.lrn(x, "pool1/norm1")
    x = net.relu(net.conv(x, "conv2/3x3_reduce", 64, 1))
    x = net.relu(net.conv(x, "conv2/3x3", 192, 3, pad=1))
    x = net.lrn(x, "conv2/norm2")
    for number, modules in enumerate(_STAGES, start=2):
        x = _halve(net, x, f"pool{number}/3x3_s2")
        for module in modules:
            x = _inception(net, x, module)
    x = net.flatten(net.global_average_pool(x, "pool5/7x7_s1"), "flatten")
    return net.softmax(net.gemm(x, "loss3/classifier", 1000, gain=LOGIT_GAIN), "prob")


def _halve(net: GraphBuilder, x: Tensor, name: str) -> Tensor:
    return net.max_pool(x, name, 3, stride=2, ceil_mode=True)


def _inception(net: GraphBuilder, x: Tensor, module: _Inception) -> Tensor:
    prefix = module.name
    one = net.relu(net.conv(x, f"{prefix}/1x1", module.conv1x1, 1))
    three = net.relu(net.conv(x, f"{prefix}/3x3_reduce", module.reduce3x3, 1))
    three = net.relu(net.conv(three, f"{prefix}/3x3", module.conv3x3, 3, pad=1))
    five = net.relu(net.conv(x, f"{prefix}/5x5_reduce", module.reduce5x5, 1))
    five = net.relu(net.conv(five, f"{prefix}/5x5", module.conv5x5, 5, pad=2))
    pooled = net.max_pool(x, f"{prefix}/pool", 3, stride=1, pad=1)
    pooled = net.relu(net.conv(pooled, f"{prefix}/pool_proj", module.pool_proj, 1))
    return net.concat((one, three, five, pooled), f"{prefix}/output")
