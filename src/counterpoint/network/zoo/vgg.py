"""VGG-16: Simonyan, Zisserman, "Very Deep Convolutional Networks", ICLR 2015, configuration D.

15.470 G multiply-adds and 138 357 544 weights; Xu et al. (NPC 2019): 15.47 G and 138.3 M.
"""

from counterpoint.network.zoo.builder import LOGIT_GAIN, GraphBuilder, Tensor

_STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""Channels and number of 3x3 convolutions between two poolings."""


def vgg16(net: GraphBuilder, image: Tensor) -> Tensor:
    """``(N, 3, 224, 224)`` to logits ``(N, 1000)``; dropout and softmax omitted."""
    x = image
    for stage, (channels, depth) in enumerate(_STAGES, start=1):
        for layer in range(1, depth + 1):
            x = net.relu(net.conv(x, f"conv{stage}_{layer}", channels, 3, pad=1))
        x = net.max_pool(x, f"pool{stage}", 2, stride=2)
    x = net.flatten(x, "flatten")
    x = net.relu(net.gemm(x, "fc6", 4096))
    x = net.relu(net.gemm(x, "fc7", 4096))
    return net.gemm(x, "fc8", 1000, gain=LOGIT_GAIN)
