"""Rewrites operators of ONNX's experimental years into standard ones.

``Affine``, ``Crop``, ``ImageScaler`` and ``Scale`` were in the default domain until opset 8 and are
still met in converted Core ML models. Definitions: onnx 1.2 ``docs/Operators.md``, section
"experimental".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import onnx
from onnx import NodeProto, helper, numpy_helper

from counterpoint.errors import ModelFileError

Rewrite = Callable[[NodeProto], Iterator[NodeProto]]


def _constant(name: str, values: object, dtype: type = np.float32) -> NodeProto:
    tensor = numpy_helper.from_array(np.asarray(values, dtype=dtype), name)
    return helper.make_node("Constant", [], [name], name=name, value=tensor)


def _attributes(node: NodeProto) -> dict[str, onnx.AttributeProto]:
    return {attribute.name: attribute for attribute in node.attribute}


def _linear(node: NodeProto, scale: object, bias: object | None) -> Iterator[NodeProto]:
    """``y = x * scale + bias`` by Mul and Add."""
    output = node.output[0]
    yield _constant(f"{output}/scale", scale)
    scaled = f"{output}/scaled" if bias is not None else output
    yield helper.make_node("Mul", [node.input[0], f"{output}/scale"], [scaled], name=scaled)
    if bias is not None:
        yield _constant(f"{output}/bias", bias)
        yield helper.make_node("Add", [scaled, f"{output}/bias"], [output], name=output)


def _affine(node: NodeProto) -> Iterator[NodeProto]:
    """``y = alpha * x + beta``."""
    attributes = _attributes(node)
    alpha = attributes["alpha"].f if "alpha" in attributes else 1.0
    beta = attributes["beta"].f if "beta" in attributes else 0.0
    return _linear(node, alpha, beta)


def _scale(node: NodeProto) -> Iterator[NodeProto]:
    """``y = scale * x``."""
    attributes = _attributes(node)
    return _linear(node, attributes["scale"].f if "scale" in attributes else 1.0, None)


def _image_scaler(node: NodeProto) -> Iterator[NodeProto]:
    """``y[n,c,h,w] = scale * x[n,c,h,w] + bias[c]``."""
    attributes = _attributes(node)
    bias = np.array(attributes["bias"].floats, dtype=np.float32).reshape(-1, 1, 1)
    return _linear(node, attributes["scale"].f if "scale" in attributes else 1.0, bias)


def _crop(node: NodeProto) -> Iterator[NodeProto]:
    """Cuts ``border = (left, top, right, bottom)`` off the two last axes of NCHW."""
    attributes = _attributes(node)
    left, top, right, bottom = (int(value) for value in attributes["border"].ints)
    if "scale" in attributes and attributes["scale"].ints:
        height, width = (int(value) for value in attributes["scale"].ints)
        ends = [top + height, left + width]
    else:
        far = np.iinfo(np.int64).max
        ends = [-bottom if bottom else far, -right if right else far]
    output = node.output[0]
    # Slice as it was before opset 10: bounds are attributes, as in the files that carry Crop.
    yield helper.make_node(
        "Slice", [node.input[0]], [output], name=output, axes=[2, 3], starts=[top, left], ends=ends
    )


NEWEST_OPSET = 9
"""The newest operator set whose files carry them."""

REWRITES: dict[str, Rewrite] = {
    "Affine": _affine,
    "Crop": _crop,
    "ImageScaler": _image_scaler,
    "Scale": _scale,
}


def rewrite_legacy(nodes: Iterable[NodeProto], opset: int) -> list[NodeProto]:
    """Nodes with the experimental ones replaced.

    Raises:
        ModelFileError: A legacy node lacks an attribute or has one of a wrong length.
    """
    result: list[NodeProto] = []
    for node in nodes:
        rewrite = REWRITES.get(node.op_type)
        if rewrite is None or node.domain or opset > NEWEST_OPSET:
            result.append(node)
            continue
        try:
            result += rewrite(node)
        except (KeyError, ValueError, IndexError) as error:
            raise ModelFileError(
                f"legacy operator {node.op_type} ({node.name or 'unnamed'}) lacks or "
                f"misstates an attribute: {error}"
            ) from error
    return result
