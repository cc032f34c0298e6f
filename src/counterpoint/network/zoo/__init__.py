"""Published CNNs as ONNX models with seeded weights, for planning and measuring without downloads.

Every model is opset 17, fp32, with one input ``input`` (NCHW), one output ``output``, static shapes
with the batch included, and all intermediate shapes filled in. Classifiers give logits
``(batch, 1000)``, or probabilities where the published inference file ends in a softmax (AlexNet,
GoogLeNet, SqueezeNet). Dropout, the identity at inference, is left out.
"""

from collections.abc import Callable
from dataclasses import dataclass

import onnx

from counterpoint.network.zoo.alexnet import alexnet
from counterpoint.network.zoo.builder import GraphBuilder, InMemorySink, Tensor, WeightSink
from counterpoint.network.zoo.googlenet import googlenet
from counterpoint.network.zoo.mobilenet import mobilenet_v1, mobilenet_v2
from counterpoint.network.zoo.resnet import resnet18, resnet50
from counterpoint.network.zoo.shufflenet import shufflenet_v1
from counterpoint.network.zoo.squeezenet import squeezenet_v1_0, squeezenet_v1_1
from counterpoint.network.zoo.vgg import vgg16
from counterpoint.network.zoo.yolo import yolov2, yolov2_2016

__all__ = ["DEFAULT_TEN", "NAMES", "InMemorySink", "WeightSink", "build_model"]


@dataclass(frozen=True, slots=True)
class _Recipe:
    """A network's layers and the edge of its square RGB input, in pixels."""

    layers: Callable[[GraphBuilder, Tensor], Tensor]
    edge: int


_RECIPES = {
    "alexnet": _Recipe(alexnet, 227),
    "vgg16": _Recipe(vgg16, 224),
    "googlenet": _Recipe(googlenet, 224),
    "resnet18": _Recipe(resnet18, 224),
    "resnet50": _Recipe(resnet50, 224),
    "mobilenet_v1": _Recipe(mobilenet_v1, 224),
    "mobilenet_v2": _Recipe(mobilenet_v2, 224),
    "squeezenet_v1.0": _Recipe(squeezenet_v1_0, 227),
    "squeezenet_v1.1": _Recipe(squeezenet_v1_1, 224),
    "shufflenet_v1": _Recipe(shufflenet_v1, 224),
    "yolov2": _Recipe(yolov2, 416),
    "yolov2_2016": _Recipe(yolov2_2016, 416),
}

NAMES: tuple[str, ...] = tuple(_RECIPES)
"""What ``build_model`` knows."""

DEFAULT_TEN: tuple[str, ...] = tuple(
    name for name in NAMES if name not in ("shufflenet_v1", "yolov2_2016")
)
"""What measurements are made with by default: without ShuffleNet, which is there for designs of
accelerators, and without the second YOLOv2, which is there to meet a published table."""


def build_model(
    name: str,
    weights: WeightSink,
    *,
    seed: int = 0,
    batch: int = 1,
    keep_batchnorm: bool = False,
) -> onnx.ModelProto:
    """Build one network of the zoo.

    Args:
        name: One of ``NAMES``.
        weights: Takes each weight as soon as it is drawn; no two layers' weights are held at once.
        seed: Non-negative. The same seed gives the same bits, whatever the batch.
        batch: Images in one input, at least 1; static in every shape.
        keep_batchnorm: Keep BatchNormalization nodes (ResNets, MobileNets, YOLOv2). Otherwise they
            are folded into their convolutions; both variants compute the same function.

    Raises:
        ValueError: ``name`` isn't known, ``batch`` is below 1, or ``seed`` is negative.
    """
    if name not in _RECIPES:
        raise ValueError(f"no network {name!r} in the zoo; known: {', '.join(NAMES)}")
    if batch < 1:
        raise ValueError(f"batch must be at least 1, not {batch}")
    if seed < 0:
        raise ValueError(f"seed must not be negative, but is {seed}")
    recipe = _RECIPES[name]
    builder = GraphBuilder(name, weights, seed=seed, keep_batchnorm=keep_batchnorm)
    image = builder.input((batch, 3, recipe.edge, recipe.edge))
    return builder.finish(recipe.layers(builder, image))
