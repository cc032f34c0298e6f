"""A network, layer by layer: shapes, seeded weights and ONNX nodes from the authors' layer names.

A node is named as its authors name the layer, and its output carries the node's name, as in
Caffe. Parameters are ``<layer>.weight``, ``<layer>.bias`` and ``<layer>/bn.{scale,bias,mean,var}``.
All tensors are float32; images are NCHW.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from counterpoint.network.zoo.draft import INPUT, ModelDraft
from counterpoint.network.zoo.initial import UNIT, Moments, SeededWeights

LOGIT_GAIN = 2.0
"""Deviation of a classifier's logits: a softmax over 1000 classes then peaks, yet isn't a 1."""


class WeightSink(Protocol):
    """Takes each weight once, in the order of the layers, and decides where its bytes live."""

    def add(self, name: str, array: np.ndarray) -> TensorProto:
        """Store ``array`` and return the initializer that stands for it.

        It has that name, shape and type, and holds the bytes (``raw_data``) or the place of them
        (``external_data``). The caller drops the array afterwards.
        """
        ...


class InMemorySink:
    """Keeps the bytes in the model, which must then stay below protobuf's 2 GB."""

    def add(self, name: str, array: np.ndarray) -> TensorProto:
        """The tensor with its raw data."""
        return numpy_helper.from_array(array, name)


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of the graph under construction.

    Attributes:
        name: Its name in the graph.
        shape: Static: ``(N, C, H, W)``, or ``(N, C)`` behind a flatten.
        moments: Expected scale of its elements; sets the scale of the next kernel.
    """

    name: str
    shape: tuple[int, ...]
    moments: Moments

    @property
    def channels(self) -> int:
        """Size of axis 1."""
        return self.shape[1]


class GraphBuilder:
    """Appends one layer a call and returns its output.

    Args:
        name: The graph's name.
        weights: Where the weights go, each as soon as it is drawn.
        seed: Non-negative; see ``SeededWeights``.
        keep_batchnorm: Keep BatchNormalization nodes instead of folding them into convolutions.
    """

    def __init__(self, name: str, weights: WeightSink, *, seed: int, keep_batchnorm: bool) -> None:
        self._draft = ModelDraft(name)
        self._sink = weights
        self._draw = SeededWeights(seed)
        self._keep_batchnorm = keep_batchnorm

    def input(self, shape: tuple[int, int, int, int]) -> Tensor:
        """The image ``input``, NCHW, expected with mean 0 and variance 1."""
        self._draft.add_input(shape)
        return Tensor(INPUT, shape, UNIT)

    def conv(
        self,
        x: Tensor,
        name: str,
        channels: int,
        kernel: int,
        *,
        stride: int = 1,
        pad: int = 0,
        groups: int = 1,
        gain: float = 1.0,
    ) -> Tensor:
        """Convolution with bias by square kernels ``(channels, C / groups, kernel, kernel)``.

        The output has mean 0 and deviation ``gain``; a gain below 1 keeps the sum small that a
        residual branch ends in, a gain above 1 spreads the logits.
        """
        shape = (channels, x.channels // groups, kernel, kernel)
        weight = self._draw.kernel(f"{name}.weight", shape, x.moments, gain)
        bias = self._draw.bias(f"{name}.bias", weight, x.moments)
        y = self._convolve(x, name, (weight, bias), stride=stride, pad=pad, groups=groups)
        return Tensor(y.name, y.shape, Moments(0.0, gain**2))

    def conv_bn(
        self,
        x: Tensor,
        name: str,
        channels: int,
        kernel: int,
        *,
        stride: int = 1,
        pad: int = 0,
        groups: int = 1,
        gain: float = 1.0,
    ) -> Tensor:
        """``conv`` without bias and a batch normalisation ``<name>/bn``, folded unless kept."""
        shape = (channels, x.channels // groups, kernel, kernel)
        weight = self._draw.kernel(f"{name}.weight", shape, x.moments, 1.0)
        norm = self._draw.batchnorm(f"{name}/bn", weight, x.moments, gain)
        if self._keep_batchnorm:
            y = self._convolve(x, name, (weight,), stride=stride, pad=pad, groups=groups)
            parameters = [
                self._weight(f"{name}/bn.scale", norm.gamma),
                self._weight(f"{name}/bn.bias", norm.beta),
                self._weight(f"{name}/bn.mean", norm.mean),
                self._weight(f"{name}/bn.var", norm.variance),
            ]
            self._draft.add_node(
                "BatchNormalization", f"{name}/bn", [y.name, *parameters], epsilon=norm.epsilon
            )
            return Tensor(f"{name}/bn", y.shape, Moments(0.0, gain**2))
        folded = norm.folded_into(weight)
        y = self._convolve(x, name, folded, stride=stride, pad=pad, groups=groups)
        return Tensor(y.name, y.shape, Moments(0.0, gain**2))

    def gemm(self, x: Tensor, name: str, features: int, *, gain: float = 1.0) -> Tensor:
        """Fully connected layer ``(N, C)`` to ``(N, features)``; weight ``(features, C)``."""
        weight = self._draw.kernel(f"{name}.weight", (features, x.channels), x.moments, gain)
        bias = self._draw.bias(f"{name}.bias", weight, x.moments)
        parameters = [
            self._weight(f"{name}.weight", weight),
            self._weight(f"{name}.bias", bias),
        ]
        self._draft.add_node("Gemm", name, [x.name, *parameters], transB=1)
        return Tensor(name, (x.shape[0], features), Moments(0.0, gain**2))

    def relu(self, x: Tensor) -> Tensor:
        """``max(x, 0)``, named after the layer that it follows."""
        return self._pointwise("Relu", f"{x.name}/relu", x, x.moments.rectified())

    def relu6(self, x: Tensor) -> Tensor:
        """``min(max(x, 0), 6)``; at unit deviation the upper bound is all but never met."""
        name = f"{x.name}/relu6"
        self._draft.add_constant(f"{name}.min", np.array(0, np.float32))
        self._draft.add_constant(f"{name}.max", np.array(6, np.float32))
        self._draft.add_node("Clip", name, [x.name, f"{name}.min", f"{name}.max"])
        return Tensor(name, x.shape, x.moments.rectified())

    def leaky_relu(self, x: Tensor, slope: float) -> Tensor:
        """``x if x > 0 else slope * x``, named after the layer that it follows."""
        moments = x.moments.rectified(slope)
        return self._pointwise("LeakyRelu", f"{x.name}/leaky", x, moments, alpha=slope)

    def lrn(self, x: Tensor, name: str) -> Tensor:
        """Normalisation across 5 channels with alpha 1e-4, beta 0.75, k 1, as in BVLC's files.

        Caffe and ONNX both divide alpha by the 5. Krizhevsky et al. (2012, section 3.3) have k 2.
        """
        return self._pointwise("LRN", name, x, x.moments, size=5, alpha=1e-4, beta=0.75, bias=1.0)

    def softmax(self, x: Tensor, name: str) -> Tensor:
        """Softmax over axis 1 of ``(N, C)``: the end of a network, so its moments go unused."""
        return self._pointwise("Softmax", name, x, x.moments, axis=1)

    def max_pool(
        self,
        x: Tensor,
        name: str,
        kernel: int,
        *,
        stride: int,
        pad: int = 0,
        ceil_mode: bool = False,
    ) -> Tensor:
        """Maximum over square windows; ``ceil_mode`` rounds the output size up, as Caffe does."""
        self._draft.add_node(
            "MaxPool",
            name,
            [x.name],
            kernel_shape=[kernel] * 2,
            strides=[stride] * 2,
            pads=[pad] * 4,
            ceil_mode=int(ceil_mode),
        )
        slack = stride - 1 if ceil_mode else 0
        height, width = ((edge + 2 * pad - kernel + slack) // stride + 1 for edge in x.shape[2:])
        return Tensor(name, (*x.shape[:2], height, width), x.moments.max_pooled())

    def average_pool(
        self, x: Tensor, name: str, kernel: int, *, stride: int, pad: int = 0
    ) -> Tensor:
        """Mean of square windows; padding does not count."""
        self._draft.add_node(
            "AveragePool",
            name,
            [x.name],
            kernel_shape=[kernel] * 2,
            strides=[stride] * 2,
            pads=[pad] * 4,
        )
        height, width = ((edge + 2 * pad - kernel) // stride + 1 for edge in x.shape[2:])
        return Tensor(name, (*x.shape[:2], height, width), x.moments.averaged())

    def global_average_pool(self, x: Tensor, name: str) -> Tensor:
        """Mean of each plane, ``(N, C, H, W)`` to ``(N, C, 1, 1)``."""
        self._draft.add_node("GlobalAveragePool", name, [x.name])
        return Tensor(name, (*x.shape[:2], 1, 1), x.moments.averaged())

    def concat(self, parts: Sequence[Tensor], name: str) -> Tensor:
        """Concatenation along the channels."""
        self._draft.add_node("Concat", name, [part.name for part in parts], axis=1)
        channels = sum(part.channels for part in parts)
        mean = sum(part.channels * part.moments.mean for part in parts) / channels
        square = sum(part.channels * part.moments.mean_square for part in parts) / channels
        shape = (parts[0].shape[0], channels, *parts[0].shape[2:])
        return Tensor(name, shape, Moments(mean, square - mean**2))

    def add(self, shortcut: Tensor, branch: Tensor, name: str) -> Tensor:
        """Elementwise sum of two tensors of one shape."""
        self._draft.add_node("Add", name, [shortcut.name, branch.name])
        a, b = shortcut.moments, branch.moments
        return Tensor(name, shortcut.shape, Moments(a.mean + b.mean, a.variance + b.variance))

    def flatten(self, x: Tensor, name: str) -> Tensor:
        """``(N, C, H, W)`` to ``(N, C * H * W)``."""
        self._draft.add_node("Flatten", name, [x.name], axis=1)
        return Tensor(name, (x.shape[0], math.prod(x.shape[1:])), x.moments)

    def reshape(self, x: Tensor, name: str, shape: tuple[int, ...]) -> Tensor:
        """The same elements in the same order under another static shape."""
        self._draft.add_constant(f"{name}.shape", np.array(shape, np.int64))
        self._draft.add_node("Reshape", name, [x.name, f"{name}.shape"])
        return Tensor(name, shape, x.moments)

    def transpose(self, x: Tensor, name: str, axes: tuple[int, ...]) -> Tensor:
        """Axis ``i`` of the result is axis ``axes[i]`` of ``x``."""
        self._draft.add_node("Transpose", name, [x.name], perm=axes)
        return Tensor(name, tuple(x.shape[axis] for axis in axes), x.moments)

    def finish(self, y: Tensor) -> onnx.ModelProto:
        """The model whose output ``output`` is ``y``, the result of the last layer."""
        return self._draft.finish(y.shape)

    def _convolve(
        self,
        x: Tensor,
        name: str,
        parameters: tuple[NDArray[np.float32], ...],
        *,
        stride: int,
        pad: int,
        groups: int,
    ) -> Tensor:
        channels, _, kernel, _ = parameters[0].shape
        labels = ("weight", "bias")[: len(parameters)]
        names = [
            self._weight(f"{name}.{label}", array)
            for label, array in zip(labels, parameters, strict=True)
        ]
        self._draft.add_node(
            "Conv",
            name,
            [x.name, *names],
            kernel_shape=[kernel] * 2,
            strides=[stride] * 2,
            pads=[pad] * 4,
            group=groups,
        )
        height, width = ((edge + 2 * pad - kernel) // stride + 1 for edge in x.shape[2:])
        return Tensor(name, (x.shape[0], channels, height, width), UNIT)

    def _pointwise(
        self,
        op_type: str,
        name: str,
        x: Tensor,
        moments: Moments,
        **attributes: float,
    ) -> Tensor:
        self._draft.add_node(op_type, name, [x.name], **attributes)
        return Tensor(name, x.shape, moments)

    def _weight(self, name: str, array: NDArray[np.float32]) -> str:
        self._draft.add_weight(self._sink.add(name, array))
        return name
