"""Darknet's layers as ONNX nodes. Source: Darknet, ``src/*_layer.c``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import onnx

from counterpoint.errors import ModelFileError
from counterpoint.network.caffe.draft import Draft, Tensor
from counterpoint.network.darknet.cfg import Section
from counterpoint.network.darknet.weights_file import Float32, Numbers
from counterpoint.network.zoo.initial import BatchNorm, Moments

LEAK = 0.1
"""Slope of ``leaky`` below 0."""

DEVIATION_EPSILON = 1e-6
"""Added to the deviation (not the variance) by ``normalize_cpu``."""

DETECTIONS = ("region", "yolo", "detection", "Gaussian_yolo")
"""Layers that decode; their input is an output of the network."""

_UNIT = Moments(0.0, 1.0)

_ACTIVATIONS: dict[str, tuple[str, dict[str, float]]] = {
    "leaky": ("LeakyRelu", {"alpha": LEAK}),
    "relu": ("Relu", {}),
    "logistic": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
    "elu": ("Elu", {"alpha": 1.0}),
}


@dataclass
class Conversion:
    """Converts section by section.

    Attributes:
        draft: The graph.
        numbers: Where weights come from.
        keep_batchnorm: Do not fold.
        x: What the last section made.
        made: What each section made.
        outputs: What the network returns, by name.
    """

    draft: Draft
    numbers: Numbers
    keep_batchnorm: bool
    x: Tensor
    made: list[Tensor] = field(default_factory=list)
    outputs: list[tuple[str, Tensor]] = field(default_factory=list)
    _counts: dict[str, int] = field(default_factory=dict)

    def run(self, sections: Sequence[Section]) -> onnx.ModelProto:
        """The model.

        Raises:
            ModelFileError: A section that nobody here knows, or that does not fit.
        """
        for section in sections:
            if section.kind in DETECTIONS:
                self.outputs.append((self._named(section.kind), self.x))
            elif section.kind != "cost":
                converter = _CONVERTERS.get(section.kind)
                if converter is None:
                    known = sorted({*_CONVERTERS, *DETECTIONS, "cost"})
                    raise section.fail(f"unknown section; known: {', '.join(known)}")
                try:
                    self.x = converter(self, section)
                except (OverflowError, MemoryError) as error:
                    raise section.fail(f"its sizes are absurd ({error})") from error
                except ModelFileError as error:
                    if str(error).startswith("line "):
                        raise
                    raise section.fail(str(error)) from error
            self.made.append(self.x)
        if sections[-1].kind not in (*DETECTIONS, "cost") or not self.outputs:
            self.outputs.append(("output", self.x))
        return self.draft.finish(self.outputs)

    def convolution(self, section: Section) -> Tensor:
        """``[convolutional]``: with batch normalisation and activation."""
        x, name = self._image(section), self._named("conv")
        filters = section.integer("filters", 1, least=1)
        size = section.integer("size", 1, least=1)
        stride = section.integer("stride", 1, least=1)
        groups = section.integer("groups", 1, least=1)
        pad = section.integer("padding", 0)
        if section.integer("pad", 0):
            pad = size // 2
        dilation = section.integer("dilation", 1, least=1)
        extent = dilation * (size - 1) + 1
        if x.shape[1] % groups or filters % groups:
            raise section.fail(f"{groups} groups do not divide {x.shape[1]} and {filters} channels")
        sizes = [(edge + 2 * pad - extent) // stride + 1 for edge in x.shape[2:]]
        if min(sizes) < 1:
            raise section.fail(f"size={size} is larger than its input")
        shape = (filters, x.shape[1] // groups, size, size)
        norm = bool(section.integer("batch_normalize", 0))
        kernel, bias, statistics = self.numbers.convolution(name, shape, x.moments, norm=norm)
        attributes: dict[str, Any] = {
            "kernel_shape": [size, size],
            "strides": [stride, stride],
            "pads": [pad] * 4,
            "dilations": [dilation, dilation],
            "group": groups,
        }
        result = (x.shape[0], filters, *sizes)
        y = self._multiplied("Conv", name, x, (kernel, bias, statistics), result, **attributes)
        return self._activated(section, y, name, "logistic")

    def connected(self, section: Section) -> Tensor:
        """``[connected]``: a fully connected layer."""
        x, name = self.x, self._named("fc")
        flat = self._node("Flatten", f"{name}/flat", [x.name], (x.shape[0], prod(x.shape[1:])))
        outputs = section.integer("output", 1, least=1)
        norm = bool(section.integer("batch_normalize", 0))
        shape = (outputs, flat.shape[1])
        drawn = self.numbers.connected(name, shape, x.moments, norm=norm)
        y = self._multiplied("Gemm", name, flat, drawn, (x.shape[0], outputs), transB=1)
        return self._activated(section, y, name, "logistic")

    def max_pool(self, section: Section) -> Tensor:
        """``[maxpool]``: ``(n + padding - size) / stride + 1``, half of the padding in front."""
        x, name = self._image(section), self._named("pool")
        stride = section.integer("stride", 1, least=1)
        size = section.integer("size", stride, least=1)
        padding = section.integer("padding", size - 1)
        front = padding // 2
        sizes = [(edge + padding - size) // stride + 1 for edge in x.shape[2:]]
        ends = [
            max(0, (count - 1) * stride + size - edge - front)
            for count, edge in zip(sizes, x.shape[2:], strict=True)
        ]
        if min(sizes) < 1 or max(front, *ends) >= size:
            raise section.fail("its window does not fit its input")
        return self._node(
            "MaxPool",
            name,
            [x.name],
            (*x.shape[:2], *sizes),
            moments=x.moments.max_pooled(),
            kernel_shape=[size, size],
            strides=[stride, stride],
            pads=[front, front, *ends],
        )

    def average_pool(self, section: Section) -> Tensor:
        """``[avgpool]``: the mean of each channel."""
        x, name = self._image(section), self._named("avgpool")
        shape = (*x.shape[:2], 1, 1)
        return self._node("GlobalAveragePool", name, [x.name], shape, moments=x.moments.averaged())

    def route(self, section: Section) -> Tensor:
        """``[route]``: earlier results side by side, or one group of their channels."""
        name = self._named("route")
        parts = [self._earlier(section, index) for index in section.integers("layers")]
        if not parts:
            raise section.fail("layers is missing")
        groups = section.integer("groups", 1, least=1)
        chosen = section.integer("group_id", 0)
        if groups > 1:
            if chosen >= groups or any(part.shape[1] % groups for part in parts):
                raise section.fail(f"group {chosen} of {groups} does not fit")
            parts = [
                self._group(part, groups, chosen, f"{name}/{index}")
                for index, part in enumerate(parts)
            ]
        if len(parts) == 1:
            return parts[0]
        first = parts[0].shape
        for part in parts:
            if (part.shape[0], part.shape[2:]) != (first[0], first[2:]):
                raise section.fail(f"shapes {first} and {part.shape} do not fit")
        channels = sum(part.shape[1] for part in parts)
        mean = sum(part.moments.mean * part.shape[1] for part in parts) / channels
        square = sum(part.moments.mean_square * part.shape[1] for part in parts) / channels
        return self._node(
            "Concat",
            name,
            [part.name for part in parts],
            (parts[0].shape[0], channels, *parts[0].shape[2:]),
            moments=Moments(mean, max(0.0, square - mean**2)),
            axis=1,
        )

    def shortcut(self, section: Section) -> Tensor:
        """``[shortcut]``: the sum with an earlier result of the same shape."""
        x, name = self.x, self._named("shortcut")
        sources = section.integers("from")
        if len(sources) != 1:
            raise section.fail("from must name one layer")
        other = self._earlier(section, sources[0])
        if other.shape != x.shape:
            raise section.fail(f"shapes {x.shape} and {other.shape} do not fit")
        a, b = x.moments, other.moments
        moments = Moments(a.mean + b.mean, a.variance + b.variance)
        y = self._node("Add", name, [x.name, other.name], x.shape, moments=moments)
        return self._activated(section, y, name, "linear")

    def reorg(self, section: Section) -> Tensor:
        """``[reorg]``; the formula is in :func:`counterpoint.network.zoo.yolo.reorg`."""
        x, name = self._image(section), self._named("reorg")
        stride = section.integer("stride", 1, least=1)
        if any(section.integer(key, 0) for key in ("reverse", "flatten", "extra")):
            raise section.fail("reverse, flatten and extra are not supported")
        batch, channels, height, width = x.shape
        if channels % stride**2 or height % stride or width % stride:
            raise section.fail(f"stride {stride} does not divide {x.shape}")
        view = (batch, channels // stride**2, height, stride, width, stride)
        turned = (batch, stride, stride, channels // stride**2, height, width)
        shape = (batch, channels * stride**2, height // stride, width // stride)
        parts = self._reshaped(x, f"{name}/view", view)
        phases = self._node(
            "Transpose",
            f"{name}/phases",
            [parts.name],
            turned,
            moments=x.moments,
            perm=[0, 3, 5, 1, 2, 4],
        )
        return self._reshaped(phases, name, shape)

    def upsample(self, section: Section) -> Tensor:
        """``[upsample]``: each pixel repeated."""
        x, name = self._image(section), self._named("upsample")
        stride = section.integer("stride", 2, least=1)
        if "scale" in section.values and section.values["scale"] not in ("1", "1.0"):
            raise section.fail("a scale other than 1 is not supported")
        shape = (*x.shape[:2], *(edge * stride for edge in x.shape[2:]))
        sizes = self.draft.constant(f"{name}.sizes", np.array(shape, np.int64))
        return self._node(
            "Resize",
            name,
            [x.name, "", "", sizes],
            shape,
            moments=x.moments,
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )

    def softmax(self, section: Section) -> Tensor:
        """``[softmax]`` over everything of an image."""
        x, name = self.x, self._named("softmax")
        if section.integer("groups", 1) != 1 or "tree" in section.values:
            raise section.fail("groups and trees are not supported")
        flat = self._node("Flatten", f"{name}/flat", [x.name], (x.shape[0], prod(x.shape[1:])))
        return self._node("Softmax", name, [flat.name], flat.shape, axis=1)

    def unchanged(self, section: Section) -> Tensor:
        """``[dropout]``: nothing at inference."""
        del section
        return self.x

    def _multiplied(
        self,
        operator: str,
        name: str,
        x: Tensor,
        numbers: tuple[Float32, Float32, BatchNorm | None],
        shape: tuple[int, ...],
        **attributes: Any,
    ) -> Tensor:
        """A Conv or Gemm and its batch normalisation, folded or kept."""
        kernel, bias, norm = numbers
        if norm is not None and self.keep_batchnorm:
            names = [self.draft.constant(f"{name}.weight", kernel)]
            y = self._node(operator, f"{name}/raw", [x.name, *names], shape, **attributes)
            # a variance whose root is the deviation that Darknet divides by, epsilon included
            deviation = np.sqrt(norm.variance.astype(np.float64)) + DEVIATION_EPSILON
            statistics = [norm.gamma, norm.beta, norm.mean, (deviation**2).astype(np.float32)]
            names = [
                self.draft.constant(f"{name}/bn.{suffix}", values)
                for suffix, values in zip(("scale", "bias", "mean", "var"), statistics, strict=True)
            ]
            return self._node("BatchNormalization", name, [y.name, *names], shape, epsilon=0.0)
        if norm is not None:
            deviation = np.sqrt(norm.variance.astype(np.float64)) + DEVIATION_EPSILON
            scale = norm.gamma / deviation
            kernel = kernel * scale.astype(np.float32).reshape(-1, *[1] * (kernel.ndim - 1))
            bias = (norm.beta - norm.mean * scale).astype(np.float32)
        names = [
            self.draft.constant(f"{name}.weight", kernel),
            self.draft.constant(f"{name}.bias", bias),
        ]
        return self._node(operator, name, [x.name, *names], shape, **attributes)

    def _activated(self, section: Section, x: Tensor, name: str, default: str) -> Tensor:
        activation = section.values.get("activation", default)
        if activation == "linear":
            return x
        if activation in ("mish", "swish"):
            return self._gated(activation, x, f"{name}/{activation}")
        if activation not in _ACTIVATIONS:
            known = ", ".join(sorted({*_ACTIVATIONS, "linear", "mish", "swish"}))
            raise section.fail(f"unknown activation {activation[:40]!r}; known: {known}")
        operator, attributes = _ACTIVATIONS[activation]
        moments = x.moments.rectified(LEAK if activation == "leaky" else 0.0)
        return self._node(
            operator, f"{name}/{activation}", [x.name], x.shape, moments=moments, **attributes
        )

    def _gated(self, activation: str, x: Tensor, name: str) -> Tensor:
        """``x * sigmoid(x)``, or ``x * tanh(log(1 + exp(x)))``."""
        if activation == "swish":
            gate = self._node("Sigmoid", f"{name}/gate", [x.name], x.shape)
        else:
            soft = self._node("Softplus", f"{name}/softplus", [x.name], x.shape)
            gate = self._node("Tanh", f"{name}/gate", [soft.name], x.shape)
        moments = x.moments.rectified()
        return self._node("Mul", name, [x.name, gate.name], x.shape, moments=moments)

    def _group(self, x: Tensor, groups: int, chosen: int, name: str) -> Tensor:
        size = x.shape[1] // groups
        bounds = [
            self.draft.constant(f"{name}.{suffix}", np.array([value], np.int64))
            for suffix, value in (
                ("start", chosen * size),
                ("end", (chosen + 1) * size),
                ("axis", 1),
            )
        ]
        shape = (x.shape[0], size, *x.shape[2:])
        return self._node("Slice", name, [x.name, *bounds], shape, moments=x.moments)

    def _earlier(self, section: Section, index: int) -> Tensor:
        position = len(self.made) + index if index < 0 else index
        if not 0 <= position < len(self.made):
            raise section.fail(f"layer {index} is not before it")
        return self.made[position]

    def _image(self, section: Section) -> Tensor:
        if self.x.rank != 4:
            raise section.fail("its input is no image")
        return self.x

    def _named(self, kind: str) -> str:
        self._counts[kind] = self._counts.get(kind, 0) + 1
        return self.draft.free_name(f"{kind}{self._counts[kind]}")

    def _reshaped(self, x: Tensor, name: str, shape: Sequence[int]) -> Tensor:
        wanted = self.draft.constant(f"{name}.shape", np.array(shape, np.int64))
        return self._node("Reshape", name, [x.name, wanted], shape, moments=x.moments)

    def _node(
        self,
        operator: str,
        name: str,
        inputs: Sequence[str],
        shape: Sequence[int],
        *,
        moments: Moments = _UNIT,
        **attributes: Any,
    ) -> Tensor:
        self.draft.node(operator, inputs, name, shape, **attributes)
        return Tensor(name, tuple(shape), moments)


_CONVERTERS: dict[str, Callable[[Conversion, Section], Tensor]] = {
    "avgpool": Conversion.average_pool,
    "connected": Conversion.connected,
    "conv": Conversion.convolution,
    "convolutional": Conversion.convolution,
    "dropout": Conversion.unchanged,
    "maxpool": Conversion.max_pool,
    "reorg": Conversion.reorg,
    "route": Conversion.route,
    "shortcut": Conversion.shortcut,
    "softmax": Conversion.softmax,
    "upsample": Conversion.upsample,
}
