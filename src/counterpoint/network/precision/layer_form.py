"""The int8 form of a layer: which tensors go through int8, and what folds into its weights."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from counterpoint.network.graph import Layer
from counterpoint.network.grouping import RESHAPES
from counterpoint.network.onnx_graph import OnnxGraph, reads
from counterpoint.network.precision.affine import FOLDED, folded
from counterpoint.network.precision.product import Product, product_of

WITHOUT_ARITHMETIC = frozenset({"MaxPool", "Concat", "Transpose", *RESHAPES})
"""What they make has the very values of what they read: both share one step."""

PASSED_THROUGH = WITHOUT_ARITHMETIC | {"AveragePool", "GlobalAveragePool", "Add"}
"""Operators without weights that engines run in int8 between layers in int8."""

CLIPS = frozenset({"Relu", "Clip"})
"""Activations that the bounds of an unsigned integer do, or nearly do: engines drop them."""


@dataclass(frozen=True, slots=True)
class Int8Form:
    """What becomes of a layer in int8.

    Attributes:
        main: Index of its main node.
        product: Weights and bias, what follows folded into them; ``None`` for operators of
            :data:`PASSED_THROUGH`.
        dropped: Indices of the nodes that were folded.
        sources: Tensors that it reads as int8: the main node's activations.
        multiplied: What the main node makes, after what was folded.
        own: The same, after the clips that follow.
        inner: That result, where nodes follow in the same layer that are no clips or reshapes.
        unshaped: What the trailing reshapes read; ``None`` where there are none.
        result: What the layer makes.
    """

    main: int
    product: Product | None
    dropped: frozenset[int]
    sources: tuple[str, ...]
    multiplied: str
    own: str
    inner: str | None
    unshaped: str | None
    result: str

    @property
    def made(self) -> tuple[str, ...]:
        """Tensors that come out of it, whether others see them or not."""
        names = (self.own, self.inner, self.unshaped, self.result)
        return tuple(dict.fromkeys(name for name in names if name is not None))

    @property
    def tensors(self) -> tuple[str, ...]:
        """Every tensor whose range may be needed."""
        return tuple(dict.fromkeys((*self.sources, *self.made)))


def int8_form(graph: OnnxGraph, layer: Layer, constant: Collection[str]) -> Int8Form | str:
    """The int8 form of a layer, or why it has none.

    Args:
        graph: Where its nodes are.
        layer: One of its layers.
        constant: Names of all tensors that do not depend on the frame.
    """
    if layer.computes_int8:
        return "the network quantises it already"
    own = [i for i in layer.nodes if not set(graph.nodes[i].output) <= set(constant)]
    main = next(index for index in own if graph.nodes[index].name == layer.name)
    node = graph.nodes[main]
    if node.domain or len(layer.outputs) != 1:
        return f"{node.op_type} of this form has no int8 form"
    activations = tuple(name for name in reads(node) if name not in constant)
    for name in (*activations, *layer.outputs):
        dtype = graph.specs[name].dtype if name in graph.specs else "undefined"
        if dtype != "float32":
            return f"tensor {name!r} is {dtype}; int8 is made of float32"
    thread = _thread(graph, main, own)
    product: Product | None = None
    dropped: list[int] = []
    if node.op_type not in PASSED_THROUGH:
        found = product_of(graph, node, constant)
        if isinstance(found, str):
            return found
        product = found
        while thread and graph.nodes[thread[0]].op_type in FOLDED:
            more = folded(graph, graph.nodes[thread[0]], product)
            if more is None:
                break
            product = more
            dropped.append(thread.pop(0))
        if not product.is_finite:
            return "its weights are not finite"
    result = multiplied = graph.nodes[dropped[-1] if dropped else main].output[0]
    while thread and graph.nodes[thread[0]].op_type in CLIPS:
        result = graph.nodes[thread.pop(0)].output[0]
    shaping = [index for index in thread if graph.nodes[index].op_type in RESHAPES]
    tail = thread[len(thread) - len(shaping) :]
    if tail != shaping:
        shaping = tail = []
    between = len(thread) > len(tail)
    if product is None and between:
        return f"{graph.nodes[thread[0]].op_type} follows it, which no engine fuses with it"
    return Int8Form(
        main=main,
        product=product,
        dropped=frozenset(dropped),
        sources=activations,
        multiplied=multiplied,
        own=result,
        inner=result if between else None,
        unshaped=graph.nodes[tail[0]].input[0] if tail else None,
        result=layer.outputs[0],
    )


def _thread(graph: OnnxGraph, main: int, own: Collection[int]) -> list[int]:
    """Nodes of the layer behind its main node, in run order."""
    behind = set(graph.nodes[main].output)
    found = []
    for index in sorted(own):
        if index != main and behind.intersection(reads(graph.nodes[index])):
            behind.update(graph.nodes[index].output)
            found.append(index)
    return found
