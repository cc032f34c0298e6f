"""YOLOv2 on COCO: Redmon, Farhadi, "YOLO9000: Better, Faster, Stronger", CVPR 2017.

Two networks carry the name; both take 416x416 images and give 5 anchors x (4 + 1 + 80) channels
of raw predictions on 13x13 cells (Darknet's ``region`` layer, which decodes them, is left out).

* ``yolov2``: Darknet's ``cfg/yolov2.cfg`` as it is today. The pass-through from the 26x26 features
  has a 1x1 convolution to 64 channels first; 256 + 1024 channels meet.
  14.732 G multiply-adds, 50 962 889 weights.
* ``yolov2_2016``: the paper's text ("turns the 26x26x512 feature map into a 13x13x2048 feature
  map", section 2) and the first published file, kept as ``yolo-voc.2.0.cfg`` in AlexeyAB's
  Darknet (``route -9``, ``reorg``, ``route -1,-3``): no such convolution; 2048 + 1024 channels
  meet. 17.501 G and 67 445 065.

Xu et al. (NPC 2019) give 17.51 G and 67.4 M, hence the second.
"""

from counterpoint.network.zoo.builder import GraphBuilder, Tensor

_LEAK = 0.1
"""Slope of Darknet's ``leaky`` activation below 0."""

_DARKNET19 = (
    ((32, 3),),
    ((64, 3),),
    ((128, 3), (64, 1), (128, 3)),
    ((256, 3), (128, 1), (256, 3)),
    ((512, 3), (256, 1), (512, 3), (256, 1), (512, 3)),
    ((1024, 3), (512, 1), (1024, 3), (512, 1), (1024, 3)),
)
"""Channels and kernel of the backbone's convolutions, a 2x2 max pooling between stages."""

_PREDICTIONS = 5 * (4 + 1 + 80)
"""Anchors x (box, objectness, COCO's classes)."""


def yolov2(net: GraphBuilder, image: Tensor) -> Tensor:
    """``(N, 3, 416, 416)`` to raw predictions ``(N, 425, 13, 13)``, today's yolov2.cfg."""
    fine, coarse = _backbone(net, image)
    fine = _conv(net, fine, "conv21", 64, 1)
    return _head(net, fine, coarse, first=22)


def yolov2_2016(net: GraphBuilder, image: Tensor) -> Tensor:
    """``(N, 3, 416, 416)`` to raw predictions ``(N, 425, 13, 13)``, the first published YOLOv2."""
    fine, coarse = _backbone(net, image)
    return _head(net, fine, coarse, first=21)


def reorg(net: GraphBuilder, x: Tensor, name: str, stride: int) -> Tensor:
    """Darknet's ``reorg``: ``(N, C, H, W)`` to ``(N, C * s^2, H / s, W / s)``.

    Not the space-to-depth that its name promises: ``reorg_cpu`` (called with ``forward`` 0) reads
    the buffer as ``C / s^2`` planes of ``(H * s, W * s)``, takes *those* apart into ``s^2`` phases,
    ``out[(p_y * s + p_x) * C / s^2 + c, j, i] = view[c, j * s + p_y, i * s + p_x]``, and reads the
    ``(C, H, W)`` buffer that this gives under the result's shape.
    """
    batch, channels, height, width = x.shape
    planes = channels // stride**2
    x = net.reshape(x, f"{name}/view", (batch, planes, height, stride, width, stride))
    x = net.transpose(x, f"{name}/phases", (0, 3, 5, 1, 2, 4))
    shape = (batch, channels * stride**2, height // stride, width // stride)
    return net.reshape(x, name, shape)


def _backbone(net: GraphBuilder, image: Tensor) -> tuple[Tensor, Tensor]:
    """Features of Darknet-19 at 26x26 (conv13) and, two convolutions further, at 13x13 (conv20)."""
    x = fine = image
    number = 0
    for stage, layers in enumerate(_DARKNET19):
        if stage > 0:
            fine, x = x, net.max_pool(x, f"pool{stage}", 2, stride=2)
        for channels, kernel in layers:
            number += 1
            x = _conv(net, x, f"conv{number}", channels, kernel)
    for number in (19, 20):
        x = _conv(net, x, f"conv{number}", 1024, 3)
    return fine, x


def _head(net: GraphBuilder, fine: Tensor, coarse: Tensor, *, first: int) -> Tensor:
    x = net.concat((reorg(net, fine, "reorg", 2), coarse), "route")
    x = _conv(net, x, f"conv{first}", 1024, 3)
    return net.conv(x, f"conv{first + 1}", _PREDICTIONS, 1)


def _conv(net: GraphBuilder, x: Tensor, name: str, channels: int, kernel: int) -> Tensor:
    return net.leaky_relu(net.conv_bn(x, name, channels, kernel, pad=kernel // 2), _LEAK)
