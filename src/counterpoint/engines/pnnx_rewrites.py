"""Rewrites of ONNX graphs into operators that pnnx converts, with the same results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

PHASES_LAST = [0, 3, 5, 1, 2, 4]
"""``perm`` of the Transpose that moves the two phases of ``(N, C, H, s, W, s)`` before ``C``."""


SOFTMAX_OF_ONE_AXIS = 13
"""From this opset on Softmax is over one axis, by default the last; before, over that axis and all
behind it, by default the second (ONNX's changelog of operators)."""


def rewrite_old_softmax(model: Any) -> int:
    """Writes the softmaxes of old opsets as those of new ones, which pnnx takes all of them for.

    Args:
        model: An ``onnx.ModelProto``; changed in place. A softmax whose shape is not known stays.

    Returns:
        How many were rewritten.
    """
    from onnx import helper, numpy_helper, shape_inference

    opset = next((entry.version for entry in model.opset_import if not entry.domain), 0)
    old = [n for n in model.graph.node if n.op_type in ("Softmax", "LogSoftmax")]
    if opset >= SOFTMAX_OF_ONE_AXIS or not old:
        return 0
    inferred = shape_inference.infer_shapes(model).graph
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*inferred.input, *inferred.value_info, *inferred.output)
    }
    count = 0
    for node in old:
        shape = shapes.get(node.input[0])
        if not shape or min(shape) < 1:
            continue
        count += 1
        axis = next((a.i for a in node.attribute if a.name == "axis"), 1) % len(shape)
        del node.attribute[:]
        if all(size == 1 for size in shape[axis + 1 :]):
            node.attribute.append(helper.make_attribute("axis", axis))
            continue
        prefix = f"counterpoint/{node.output[0]}"
        flat, made = f"{prefix}/flat", f"{prefix}/softmax"
        values = np.array(shape, np.int64)
        model.graph.initializer.append(numpy_helper.from_array(values, f"{prefix}/shape"))
        place = list(model.graph.node).index(node)
        before = helper.make_node("Flatten", [node.input[0]], [flat], flat, axis=axis)
        after = helper.make_node("Reshape", [made, f"{prefix}/shape"], [node.output[0]], prefix)
        node.input[0], node.output[0] = flat, made
        node.attribute.append(helper.make_attribute("axis", 1))
        model.graph.node.insert(place + 1, after)
        model.graph.node.insert(place, before)
    return count


@dataclass(frozen=True, slots=True)
class _Found:
    """Reshape to six dimensions, Transpose, Reshape back, as three positions in the graph."""

    first: int
    middle: int
    last: int
    viewed: tuple[int, ...]


def rewrite_space_to_depth(model: Any) -> int:
    """Replaces space-to-depth by six dimensions, of which ncnn has four, by a convolution.

    ``(N, C, H, s, W, s)``, transposed to ``(N, s, s, C, H, W)``: output channel ``(a s + b) C + c``
    is the pixel ``(a, b)`` of each block of channel ``c``. A convolution with stride ``s`` whose
    kernels have a single 1 computes that exactly.

    Args:
        model: An ``onnx.ModelProto`` whose weights are inside; changed in place.

    Returns:
        How many there were.
    """
    count = 0
    while (found := _find(model.graph)) is not None:
        _replace(model.graph, found, count)
        count += 1
    return count


def _find(graph: Any) -> _Found | None:
    from onnx import numpy_helper

    constants = {tensor.name: tensor for tensor in graph.initializer}
    makers = {name: index for index, node in enumerate(graph.node) for name in node.output}
    returned = {value.name for value in graph.output}

    def shape_of(node: Any) -> tuple[int, ...] | None:
        known = constants.get(node.input[1]) if len(node.input) > 1 else None
        return None if known is None else tuple(map(int, numpy_helper.to_array(known)))

    for middle, transpose in enumerate(graph.node):
        if transpose.op_type != "Transpose" or _perm(transpose) != PHASES_LAST:
            continue
        first = makers.get(transpose.input[0])
        readers = [
            index
            for index, node in enumerate(graph.node)
            if transpose.output[0] in node.input and node.op_type == "Reshape"
        ]
        inner = {transpose.input[0], transpose.output[0]}
        reads = sum(name in inner for node in graph.node for name in node.input)
        if first is None or len(readers) != 1 or reads != 2 or inner & returned:
            continue
        if graph.node[first].op_type != "Reshape":
            continue
        viewed = shape_of(graph.node[first])
        if viewed and len(viewed) == 6 and min(viewed) >= 1 and viewed[3] == viewed[5]:
            return _Found(first, middle, readers[0], viewed)
    return None


def _perm(node: Any) -> list[int]:
    return next((list(a.ints) for a in node.attribute if a.name == "perm"), [])


def _replace(graph: Any, found: _Found, number: int) -> None:
    from onnx import helper, numpy_helper

    batch, channels, height, block, width, _ = found.viewed
    kernel = np.zeros((block, block, channels, channels, block, block), np.float32)
    for row in range(block):
        for column in range(block):
            kernel[row, column, :, :, row, column] = np.eye(channels, dtype=np.float32)
    shape = np.array([batch, channels, height * block, width * block], np.int64)
    prefix = f"counterpoint/space_to_depth{number}"
    graph.initializer.extend(
        [
            numpy_helper.from_array(shape, f"{prefix}/shape"),
            numpy_helper.from_array(
                kernel.reshape(block * block * channels, channels, block, block),
                f"{prefix}/kernel",
            ),
        ]
    )
    source, last = graph.node[found.first].input[0], graph.node[found.last]
    image, phases = f"{prefix}/image", f"{prefix}/phases"
    new = [
        helper.make_node("Reshape", [source, f"{prefix}/shape"], [image], image),
        helper.make_node(
            "Conv",
            [image, f"{prefix}/kernel"],
            [phases],
            f"{prefix}/conv",
            kernel_shape=[block, block],
            strides=[block, block],
        ),
        helper.make_node("Reshape", [phases, last.input[1]], list(last.output), last.name),
    ]
    gone = {found.first, found.middle, found.last}
    kept = [node for index, node in enumerate(graph.node) if index not in gone]
    place = sum(index not in gone for index in range(found.last))
    del graph.node[:]
    graph.node.extend([*kept[:place], *new, *kept[place:]])


def inserted_positions(model: Any) -> list[int]:
    """Which of the graph's convolutions and products, by number, no layer of the network has."""
    heavy = [node for node in model.graph.node if node.op_type in HEAVY]
    return [index for index, node in enumerate(heavy) if node.name.startswith("counterpoint/")]


HEAVY = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
"""ONNX's operators with multiply-adds, as far as pnnx reads them."""
