"""AlexNet: Krizhevsky, Sutskever, Hinton, "ImageNet Classification with Deep CNNs", NIPS 2012.

The shape is BVLC's ``bvlc_alexnet/deploy.prototxt``: 227x227 input, normalisation before pooling,
and conv2, conv4 and conv5 in two groups, which is how the original was cut over two GPUs.

Multiply-adds, and weights with biases, each from the network's definition:

=====================================================  =============  ==========
this network (grouped)                                   724 406 816  60 965 224
the same without groups                                1 135 256 096  62 378 344
"One weird trick" (arXiv 1404.5997), torchvision, 224    714 188 480  61 100 840
Xu et al., NPC 2019, table of networks                        0.62e9      60.1e6
=====================================================  =============  ==========

The paper's two figures belong to none of them: beside the grouped network its multiply-adds are
14.4 % low and its weights 1.4 % low. (Without conv1 the grouped network has 618 991 616
multiply-adds; whether that is the 0.62e9, the paper doesn't say.) Nothing is bent to meet them.
"""

from counterpoint.network.zoo.builder import LOGIT_GAIN, GraphBuilder, Tensor


def alexnet(net: GraphBuilder, image: Tensor) -> Tensor:
    """``(N, 3, 227, 227)`` to probabilities ``(N, 1000)``; dropout omitted."""
    x = net.relu(net.conv(image, "conv1", 96, 11, stride=4))
    x = net.max_pool(net.lrn(x, "norm1"), "pool1", 3, stride=2)
    x = net.relu(net.conv(x, "conv2", 256, 5, pad=2, groups=2))
    x = net.max_pool(net.lrn(x, "norm2"), "pool2", 3, stride=2)
    x = net.relu(net.conv(x, "conv3", 384, 3, pad=1))
    x = net.relu(net.conv(x, "conv4", 384, 3, pad=1, groups=2))
    x = net.relu(net.conv(x, "conv5", 256, 3, pad=1, groups=2))
    x = net.flatten(net.max_pool(x, "pool5", 3, stride=2), "flatten")
    x = net.relu(net.gemm(x, "fc6", 4096))
    x = net.relu(net.gemm(x, "fc7", 4096))
    return net.softmax(net.gemm(x, "fc8", 1000, gain=LOGIT_GAIN), "prob")
