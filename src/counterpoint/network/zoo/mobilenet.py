"""MobileNet v1 (Howard et al., arXiv 1704.04861) and v2 (Sandler et al., CVPR 2018), width 1.0.

v1: table 1, with ReLU and batch normalisation behind every convolution (section 3.1); layer names
of the Caffe port. 0.569 G multiply-adds, 4 231 976 weights; Xu et al. (NPC 2019): 0.57 G, 4.2 M.
v2: table 2, with ReLU6, linear bottlenecks, and no expansion where its factor is 1; the block's
stride is in its depthwise convolution, as in the authors' TensorFlow code. 0.301 G, 3 504 872
weights; the paper: 300 M and 3.4 M. Both end in a 1x1 convolution on 1x1 planes, as published.
"""

from counterpoint.network.zoo.builder import LOGIT_GAIN, GraphBuilder, Tensor

_V1_BLOCKS = (
    ("conv2_1", 64, 1),
    ("conv2_2", 128, 2),
    ("conv3_1", 128, 1),
    ("conv3_2", 256, 2),
    ("conv4_1", 256, 1),
    ("conv4_2", 512, 2),
    ("conv5_1", 512, 1),
    ("conv5_2", 512, 1),
    ("conv5_3", 512, 1),
    ("conv5_4", 512, 1),
    ("conv5_5", 512, 1),
    ("conv5_6", 1024, 2),
    ("conv6", 1024, 1),
)
"""Name, output channels and stride of each depthwise separable block."""

_V2_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Expansion t, output channels c, repeats n and first stride s: the rows of the paper's table 2."""

_BRANCH_GAIN = 0.5
"""Deviation of a residual branch beside a trunk of 1; at 1 the images come out more alike."""


def mobilenet_v1(net: GraphBuilder, image: Tensor) -> Tensor:
    """``(N, 3, 224, 224)`` to logits ``(N, 1000)``; softmax omitted."""
    x = net.relu(net.conv_bn(image, "conv1", 32, 3, stride=2, pad=1))
    for name, channels, stride in _V1_BLOCKS:
        depthwise = {"stride": stride, "pad": 1, "groups": x.channels}
        x = net.relu(net.conv_bn(x, f"{name}/dw", x.channels, 3, **depthwise))
        x = net.relu(net.conv_bn(x, f"{name}/sep", channels, 1))
    return _classifier(net, x, pool="pool6", conv="fc7")


def mobilenet_v2(net: GraphBuilder, image: Tensor) -> Tensor:
    """``(N, 3, 224, 224)`` to logits ``(N, 1000)``; dropout and softmax omitted."""
    x = net.relu6(net.conv_bn(image, "conv1", 32, 3, stride=2, pad=1))
    for stage, (expansion, channels, repeats, first_stride) in enumerate(_V2_STAGES, start=2):
        for repeat in range(1, repeats + 1):
            x = _inverted_residual(
                net,
                x,
                f"{stage}_{repeat}",
                expansion=expansion,
                channels=channels,
                stride=first_stride if repeat == 1 else 1,
            )
    x = net.relu6(net.conv_bn(x, "conv9", 1280, 1))
    return _classifier(net, x, pool="pool9", conv="conv10")


def _inverted_residual(
    net: GraphBuilder, x: Tensor, number: str, *, expansion: int, channels: int, stride: int
) -> Tensor:
    shortcut = stride == 1 and x.channels == channels
    name, hidden = f"conv{number}", x.channels * expansion
    y = x
    if expansion > 1:
        y = net.relu6(net.conv_bn(y, f"{name}/expand", hidden, 1))
    y = net.relu6(net.conv_bn(y, f"{name}/dwise", hidden, 3, stride=stride, pad=1, groups=hidden))
    y = net.conv_bn(y, f"{name}/linear", channels, 1, gain=_BRANCH_GAIN if shortcut else 1.0)
    return net.add(x, y, f"block_{number}") if shortcut else y


def _classifier(net: GraphBuilder, x: Tensor, *, pool: str, conv: str) -> Tensor:
    x = net.conv(net.global_average_pool(x, pool), conv, 1000, 1, gain=LOGIT_GAIN)
    return net.flatten(x, "flatten")
