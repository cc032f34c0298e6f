"""Activations, powers and logarithms, and sums, products and maxima of several tensors."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from counterpoint.network.caffe.draft import Tensor
from counterpoint.network.caffe.parameters import filled_seeding
from counterpoint.network.caffe.schema import caffe_pb2 as pb
from counterpoint.network.caffe.scope import Converter, Scope
from counterpoint.network.zoo.initial import Moments


def _unary(operator: str, moments: Moments | None = None) -> Converter:
    def convert(scope: Scope) -> Sequence[Tensor]:
        return [scope.emit(operator, [scope.x], scope.x.shape, moments=moments)]

    return convert


def relu(scope: Scope) -> Sequence[Tensor]:
    """ReLU: ``x`` where positive, ``negative_slope * x`` elsewhere."""
    x, slope = scope.x, float(scope.layer.relu_param.negative_slope)
    moments = x.moments.rectified(slope)
    if slope:
        return [scope.emit("LeakyRelu", [x], x.shape, moments=moments, alpha=slope)]
    return [scope.emit("Relu", [x], x.shape, moments=moments)]


def relu6(scope: Scope) -> Sequence[Tensor]:
    """ReLU6 of other forks: between 0 and 6, or another threshold."""
    bounds = (0.0, float(scope.layer.relu6_param.threshold))
    return [_clipped(scope, *bounds, moments=scope.x.moments.rectified())]


def prelu(scope: Scope) -> Sequence[Tensor]:
    """PReLU: a slope for each channel, or one for all."""
    parameters = scope.layer.prelu_param
    x = scope.x
    if x.rank < 2:
        raise scope.fail("its input has no channels")
    fill = parameters.filler.value if parameters.HasField("filler") else 0.25
    seeding = filled_seeding(fill)
    shape = (1,) if parameters.channel_shared else (x.shape[1],)
    name = scope.weight(
        0, shape, seeding, "slope", lambda a: a.reshape(shape[0], *[1] * (x.rank - 2))
    )
    return [scope.emit("PRelu", [x, name], x.shape, moments=x.moments.rectified(fill))]


def elu(scope: Scope) -> Sequence[Tensor]:
    """ELU: ``x`` where positive, ``alpha * (exp(x) - 1)`` elsewhere."""
    alpha = float(scope.layer.elu_param.alpha)
    moments = scope.x.moments.rectified()
    return [scope.emit("Elu", [scope.x], scope.x.shape, moments=moments, alpha=alpha)]


def clip(scope: Scope) -> Sequence[Tensor]:
    """Clip: between ``min`` and ``max``."""
    parameters = scope.layer.clip_param
    if not parameters.HasField("min") or not parameters.HasField("max"):
        raise scope.fail("min or max is missing")
    return [_clipped(scope, parameters.min, parameters.max, moments=scope.x.moments)]


def swish(scope: Scope) -> Sequence[Tensor]:
    """Swish: ``x * sigmoid(beta * x)``."""
    x = scope.x
    inner = _linear(scope, x, float(scope.layer.swish_param.beta), 0.0)
    gate = scope.emit("Sigmoid", [inner], x.shape)
    return [scope.emit("Mul", [x, gate], x.shape, moments=x.moments.rectified())]


def threshold(scope: Scope) -> Sequence[Tensor]:
    """Threshold: 1 where ``x`` is above, 0 elsewhere."""
    from onnx import TensorProto

    x = scope.x
    bound = scope.constant("threshold", scope.layer.threshold_param.threshold)
    above = scope.emit("Greater", [x, bound], x.shape, dtype=TensorProto.BOOL)
    return [scope.emit("Cast", [above], x.shape, moments=Moments(0.5, 0.25), to=TensorProto.FLOAT)]


def power(scope: Scope) -> Sequence[Tensor]:
    """Power: ``(shift + scale * x)^power``."""
    parameters = scope.layer.power_param
    x = _linear(scope, scope.x, float(parameters.scale), float(parameters.shift))
    exponent = float(parameters.power)
    if exponent != 1:
        name = scope.constant("power", exponent)
        x = scope.emit("Pow", [x, name], x.shape, moments=Moments(0.0, 1.0))
    return [x]


def exponential(scope: Scope) -> Sequence[Tensor]:
    """Exp: ``base^(shift + scale * x)``; base -1 stands for e."""
    parameters = scope.layer.exp_param
    factor = _log_base(scope, parameters.base)
    inner = _linear(
        scope, scope.x, float(parameters.scale) * factor, float(parameters.shift) * factor
    )
    return [scope.emit("Exp", [inner], inner.shape, moments=Moments(1.6, 4.7))]


def logarithm(scope: Scope) -> Sequence[Tensor]:
    """Log: ``log_base(shift + scale * x)``; base -1 stands for e."""
    parameters = scope.layer.log_param
    inner = _linear(scope, scope.x, float(parameters.scale), float(parameters.shift))
    top = scope.emit("Log", [inner], inner.shape, moments=Moments(0.0, 1.0))
    factor = _log_base(scope, parameters.base)
    if factor == 0:
        raise scope.fail("base 1 has no logarithm")
    return [_linear(scope, top, 1 / factor, 0.0)]


def dropout(scope: Scope) -> Sequence[Tensor]:
    """Dropout: nothing at inference, unless the fork's ``scale_train`` is off."""
    parameters = scope.layer.dropout_param
    if not parameters.scale_train:
        return [_linear(scope, scope.x, 1 - float(parameters.dropout_ratio), 0.0)]
    return [scope.x]


def eltwise(scope: Scope) -> Sequence[Tensor]:
    """Eltwise: the sum (with coefficients), product or maximum of two or more tensors."""
    parameters = scope.layer.eltwise_param
    if len(scope.bottoms) < 2:
        raise scope.fail("it needs two inputs or more")
    for bottom in scope.bottoms:
        if bottom.shape != scope.x.shape:
            raise scope.fail(f"its inputs {scope.x.shape} and {bottom.shape} are not of one shape")
    inputs = list(scope.bottoms)
    operation = parameters.operation
    shape = scope.x.shape
    if parameters.coeff and operation != pb.EltwiseParameter.SUM:
        raise scope.fail("coefficients belong to the operation SUM")
    if operation == pb.EltwiseParameter.MAX:
        return [scope.emit("Max", inputs, shape, moments=scope.x.moments.max_pooled())]
    if operation == pb.EltwiseParameter.PROD:
        return [_chain(scope, "Mul", inputs, _product)]
    if parameters.coeff:
        if len(parameters.coeff) != len(inputs):
            raise scope.fail(f"{len(parameters.coeff)} coefficients for {len(inputs)} inputs")
        inputs = [
            _linear(scope, tensor, float(factor), 0.0)
            for tensor, factor in zip(inputs, parameters.coeff, strict=True)
        ]
    return [_chain(scope, "Add", inputs, _sum)]


def axpy(scope: Scope) -> Sequence[Tensor]:
    """Axpy of other forks: ``a * x + y`` with a factor for each image and channel."""
    if len(scope.bottoms) != 3:
        raise scope.fail("it needs three inputs")
    factor, x, y = scope.bottoms
    if x.rank != 4 or x.shape != y.shape or factor.count != x.shape[0] * x.shape[1]:
        raise scope.fail(f"its inputs {factor.shape}, {x.shape} and {y.shape} do not fit")
    spread = scope.reshaped(factor, (*x.shape[:2], 1, 1))
    scaled = scope.emit("Mul", [x, spread], x.shape, moments=x.moments)
    return [scope.emit("Add", [scaled, y], x.shape, moments=_sum(x.moments, y.moments))]


def _linear(scope: Scope, x: Tensor, scale: float, shift: float) -> Tensor:
    """``shift + scale * x``, without what changes nothing."""
    if scale != 1:
        moments = Moments(x.moments.mean * scale, x.moments.variance * scale**2)
        x = scope.emit("Mul", [x, scope.constant("factor", scale)], x.shape, moments=moments)
    if shift != 0:
        moments = Moments(x.moments.mean + shift, x.moments.variance)
        x = scope.emit("Add", [x, scope.constant("shift", shift)], x.shape, moments=moments)
    return x


def _log_base(scope: Scope, base: float) -> float:
    if base == -1:
        return 1.0
    if not (base > 0 and math.isfinite(base)):
        raise scope.fail(f"base {base} is not positive")
    return math.log(base)


def _clipped(scope: Scope, low: float, high: float, *, moments: Moments) -> Tensor:
    names = [scope.constant("min", low), scope.constant("max", high)]
    return scope.emit("Clip", [scope.x, *names], scope.x.shape, moments=moments)


def _chain(
    scope: Scope,
    operator: str,
    inputs: Sequence[Tensor],
    joined: Callable[[Moments, Moments], Moments],
) -> Tensor:
    total = inputs[0]
    for tensor in inputs[1:]:
        moments = joined(total.moments, tensor.moments)
        total = scope.emit(operator, [total, tensor], total.shape, moments=moments)
    return total


def _sum(a: Moments, b: Moments) -> Moments:
    return Moments(a.mean + b.mean, a.variance + b.variance)


def _product(a: Moments, b: Moments) -> Moments:
    mean = a.mean * b.mean
    return Moments(mean, max(0.0, a.mean_square * b.mean_square - mean**2))


CONVERTERS: dict[str, Converter] = {
    "AbsVal": _unary("Abs", Moments(0.8, 0.36)),
    "Axpy": axpy,
    "BNLL": _unary("Softplus", Moments(0.8, 0.3)),
    "Clip": clip,
    "Dropout": dropout,
    "ELU": elu,
    "Eltwise": eltwise,
    "Exp": exponential,
    "Log": logarithm,
    "PReLU": prelu,
    "Power": power,
    "ReLU": relu,
    "ReLU6": relu6,
    "Sigmoid": _unary("Sigmoid", Moments(0.5, 0.04)),
    "Swish": swish,
    "TanH": _unary("Tanh", Moments(0.0, 0.4)),
    "Threshold": threshold,
}
