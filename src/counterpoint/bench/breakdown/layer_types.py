"""What kind of work a node does, by whatever name an engine calls it."""

from __future__ import annotations

from collections.abc import Mapping

from counterpoint.network.graph import Layer

OTHER = "other"

DEPTHWISE = "depthwise"
BATCHNORM = "BatchNorm"

_WORDS: Mapping[str, tuple[str, ...]] = {
    "Conv": (
        "conv",
        "convolution",
        "convtranspose",
        "deconvolution",
        "groupconv",
        "groupconvolution",
    ),
    DEPTHWISE: ("depthwiseconv", "convolutiondepthwise", "deconvolutiondepthwise"),
    "FC": ("gemm", "matmul", "fullyconnected", "innerproduct", "fusedgemm", "fusedmatmul"),
    BATCHNORM: ("batchnormalization", "batchnorm", "batchnorminference"),
    "activation": (
        *("relu", "relu6", "clip", "clamp", "leakyrelu", "prelu", "sigmoid", "hardsigmoid"),
        *("hardswish", "tanh", "elu", "selu", "gelu", "swish", "mish", "quickgelu", "softplus"),
    ),
    "pooling": (
        *("pool", "maxpool", "averagepool", "avgpool", "globalaveragepool", "globalmaxpool"),
        *("pooling", "reducemean", "adaptiveavgpool", "reduction"),
    ),
    "elementwise": ("add", "sum", "mul", "sub", "div", "eltwise", "binaryop", "subgraph"),
    "concat": ("concat", "concatenation"),
    "softmax": ("softmax", "logsoftmax"),
    "LRN": ("lrn",),
    "shape": (
        *("reshape", "flatten", "squeeze", "unsqueeze", "transpose", "slice", "split", "gather"),
        *("identity", "pad", "padding", "permute", "strideslice", "stridedslice", "expand"),
        *("shufflechannel", "shufflechannels", "depthtospace", "spacetodepth", "resize"),
    ),
    "quantisation": ("quantizelinear", "dequantizelinear", "fakequantize", "quantize"),
}

_TYPE_OF: Mapping[str, str] = {word: kind for kind, words in _WORDS.items() for word in words}

_MOVING = frozenset(
    {
        *("reorder", "reorderinput", "reorderoutput", "cast", "convert", "packing"),
        *("memcpyfromhost", "memcpytohost", "copy", "memoryinput", "memoryoutput"),
    }
)


def layer_type(operator: str, layer: Layer | None) -> str:
    """``Conv``, ``depthwise``, ``FC``, ``BatchNorm``, ``pooling`` and so on.

    Args:
        operator: The node's type in the engine's words; empty: that of the layer.
        layer: What the node belongs to, if anything.

    Returns:
        ``other`` for operators that no list has.
    """
    of_layer = OTHER if layer is None else _TYPE_OF.get(_plain(layer.kind), OTHER)
    of_node = _TYPE_OF.get(_plain(operator)) if operator else of_layer
    if of_node == "Conv" and of_layer == DEPTHWISE:
        return DEPTHWISE  # engines have one name for both
    return of_node or of_layer


def moves_only(operator: str) -> bool:
    """The engine put the node in, to copy a tensor or to bring it into another layout or type."""
    return _plain(operator) in _MOVING


def _plain(operator: str) -> str:
    name = operator.rpartition(":")[2].rpartition(".")[2].lower().replace("_", "")
    for prefix in ("qlinear", "fused"):
        name = name.removeprefix(prefix)
    return name.removesuffix("integer")
