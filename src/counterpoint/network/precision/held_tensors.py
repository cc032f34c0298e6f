"""Which tensors go through int8, and in which steps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from counterpoint.errors import UserInputError
from counterpoint.network.onnx_graph import OnnxGraph
from counterpoint.network.precision.layer_form import WITHOUT_ARITHMETIC, Int8Form
from counterpoint.network.precision.ranges import Ranges, TensorRange
from counterpoint.network.precision.scheme import Scheme
from counterpoint.network.precision.steps import Step, activation_step

KEEPS_FLOAT = frozenset({"Gemm", "MatMul"})
"""ONNX Runtime computes these in int8 whatever becomes of the result. The last layer's logits
then need not go through int8."""


def held_tensors(graph: OnnxGraph, forms: Iterable[Int8Form]) -> tuple[str, ...]:
    """Tensors that go through int8, in the order in which layers meet them.

    A convolution's own result goes through int8 even where a sum follows in the same layer, or
    nobody reads it in int8: ONNX Runtime computes a convolution in int8 only then, and OpenVINO
    fuses the sum only then (own observation, 2026.4).
    """
    chosen = list(forms)
    read = {name for form in chosen for name in form.sources}
    held: dict[str, None] = {}
    for form in chosen:
        held.update(dict.fromkeys(form.sources))
        always = graph.nodes[form.main].op_type not in KEEPS_FLOAT
        if form.inner is not None:
            held[form.inner] = None
        if form.unshaped is not None and (form.result in read or (always and form.inner is None)):
            held[form.unshaped] = None
        if form.result in read or (always and form.result == form.own):
            held[form.result] = None
    return tuple(held)


def steps_of(
    graph: OnnxGraph,
    forms: Iterable[Int8Form],
    held: Sequence[str],
    ranges: Ranges,
    scheme: Scheme,
) -> dict[str, Step]:
    """The step of each held tensor.

    What an operator without arithmetic reads and makes shares one step: the operator then only
    moves integers. Its range takes in those of all.

    Raises:
        UserInputError: The range of a tensor is missing.
    """
    leader = {name: name for name in held}

    def find(name: str) -> str:
        while leader[name] != name:
            name = leader[name]
        return name

    for form in forms:
        together = [name for name in (form.unshaped, form.result) if form.unshaped is not None]
        groups = [together]
        if graph.nodes[form.main].op_type in WITHOUT_ARITHMETIC:
            groups.append([*form.sources, form.own])
        for group in groups:
            members = [name for name in group if name in leader]
            for name in members[1:]:
                leader[find(name)] = find(members[0])
    joint: dict[str, TensorRange] = {}
    for name in held:
        known = ranges.tensors.get(name)
        if known is None:
            raise UserInputError(
                f"the range of tensor {name!r} is not known: calibrate this network again"
            )
        first = find(name)
        joint[first] = known if first not in joint else joint[first].union(known)
    return {name: activation_step(joint[find(name)], scheme) for name in held}
