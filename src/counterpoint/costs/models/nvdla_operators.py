"""What NVDLA and its published compiler run, and why not the rest.

Source: ``nvdla/sw``, ``CompilerFeatures.md``: the table "Layers and features support".
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from counterpoint.network.graph import Layer

Precision: TypeAlias = Literal["int8", "int16", "fp16"]

_FUSED = frozenset(
    {
        *("Relu", "Clip", "PRelu", "LeakyRelu", "BatchNormalization", "Mul", "Add", "Sum"),
        *("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Dropout", "Identity", "Concat"),
        *("MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"),
        *("QuantizeLinear", "DequantizeLinear"),
    }
)
_FP16_ONLY = {
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "LRN": "local response normalisation",
    "Min": "the element-wise minimum",
    "Max": "the element-wise maximum",
}
_NEVER = {
    "Softmax": "NVDLA has no softmax",
    "Sub": "NVDLA's hardware has no element-wise subtraction",
}


def nvdla_refusal(layer: Layer, precision: Precision, groups: bool) -> str | None:
    """Why NVDLA refuses the layer; ``None`` where it takes it.

    Average pooling that leaves padding out of the mean is refused by the hardware too; a layer
    does not say whether it pads, so that its rule stands in the platform's file.

    Args:
        layer: The layer.
        precision: In which it would run.
        groups: Group convolutions are wanted even where the compiler has none.
    """
    for operator in (layer.kind, *layer.operators):
        name = operator.removeprefix("QLinear")
        if name in _NEVER:
            return _NEVER[name]
        if name in _FP16_ONLY and precision != "fp16":
            return f"NVDLA's compiler has {_FP16_ONLY[name]} in fp16 only, not in {precision}"
    if layer.kind in ("QuantizeLinear", "DequantizeLinear"):
        return "NVDLA converts what it computes; a tensor by itself is converted by the host"
    if layer.computes_int8 and precision != "int8":
        return f"the layer is quantised to int8; this unit computes in {precision}"
    if layer.kind in ("GroupConv", "DepthwiseConv") and precision != "fp16" and not groups:
        return f"NVDLA's compiler has group convolution in fp16 only, not in {precision}"
    if layer.kind in ("Conv", "GroupConv", "DepthwiseConv", "Gemm"):
        if layer.loops is None:
            return f"the shapes of layer {layer.name} are not known"
        return None
    if layer.kind in _FUSED or layer.kind in _FP16_ONLY:
        return None
    return f"NVDLA's compiler has no operator {layer.kind}"
