"""ResNet-18 and -50: He, Zhang, Ren, Sun, "Deep Residual Learning", CVPR 2016, table 1.

Layer names and shape are those of the authors' Caffe files (KaimingHe/deep-residual-networks):
projection shortcuts only where the shape changes (option B), and in ResNet-50 the stride in
the first 1x1 convolution of a stage ("v1"). With the stride in the 3x3 ("v1.5", torchvision)
ResNet-50 has 4.089 G multiply-adds; v1 has 3.858 G, against 3.89 G in Xu et al. (NPC 2019).
The authors' conv1 of ResNet-50 has a bias in front of its batch normalisation, which cancels it;
it is left out. 25 557 032 weights; Xu et al.: 25.6 M. ResNet-18: 1.814 G and 11 689 512.
"""

from counterpoint.network.zoo.builder import LOGIT_GAIN, GraphBuilder, Tensor

_WIDTHS = (64, 128, 256, 512)
"""Inner channels of stages res2 to res5."""

_BRANCH_GAIN = 0.5
"""Deviation of a residual branch, so that a stage of six blocks grows the trunk less than twice."""


def resnet18(net: GraphBuilder, image: Tensor) -> Tensor:
    """``(N, 3, 224, 224)`` to logits ``(N, 1000)``; softmax omitted."""
    x = _stem(net, image)
    for stage, width in enumerate(_WIDTHS, start=2):
        for block in range(2):
            stride = 2 if block == 0 and stage > 2 else 1
            x = _basic_block(net, x, f"res{stage}{'ab'[block]}", width, stride)
    return _classifier(net, x)


def resnet50(net: GraphBuilder, image: Tensor) -> Tensor:
    """``(N, 3, 224, 224)`` to logits ``(N, 1000)``; softmax omitted."""
    x = _stem(net, image)
    for stage, (width, depth) in enumerate(zip(_WIDTHS, (3, 4, 6, 3), strict=True), start=2):
        for block in range(depth):
            stride = 2 if block == 0 and stage > 2 else 1
            x = _bottleneck_block(net, x, f"res{stage}{'abcdef'[block]}", width, stride)
    return _classifier(net, x)


def _stem(net: GraphBuilder, image: Tensor) -> Tensor:
    x = net.relu(net.conv_bn(image, "conv1", 64, 7, stride=2, pad=3))
    return net.max_pool(x, "pool1", 3, stride=2, ceil_mode=True)


def _classifier(net: GraphBuilder, x: Tensor) -> Tensor:
    x = net.flatten(net.global_average_pool(x, "pool5"), "flatten")
    return net.gemm(x, "fc1000", 1000, gain=LOGIT_GAIN)


def _basic_block(net: GraphBuilder, x: Tensor, name: str, width: int, stride: int) -> Tensor:
    branch = net.relu(net.conv_bn(x, f"{name}_branch2a", width, 3, stride=stride, pad=1))
    branch = net.conv_bn(branch, f"{name}_branch2b", width, 3, pad=1, gain=_BRANCH_GAIN)
    return _join(net, x, branch, name, stride)


def _bottleneck_block(net: GraphBuilder, x: Tensor, name: str, width: int, stride: int) -> Tensor:
    branch = net.relu(net.conv_bn(x, f"{name}_branch2a", width, 1, stride=stride))
    branch = net.relu(net.conv_bn(branch, f"{name}_branch2b", width, 3, pad=1))
    branch = net.conv_bn(branch, f"{name}_branch2c", 4 * width, 1, gain=_BRANCH_GAIN)
    return _join(net, x, branch, name, stride)


def _join(net: GraphBuilder, x: Tensor, branch: Tensor, name: str, stride: int) -> Tensor:
    if x.shape != branch.shape:
        x = net.conv_bn(x, f"{name}_branch1", branch.channels, 1, stride=stride)
    return net.relu(net.add(x, branch, name))
