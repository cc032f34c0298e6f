"""Functions that a file defines for itself, written out where they are called.

Exporters wrap whole modules in them. Layers, engines and the planner see plain operators only.
"""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

from onnx import FunctionProto, ModelProto, NodeProto, inliner

from counterpoint.errors import ModelFileError
from counterpoint.network.onnx_checks import every_node

MAX_NODES = 1_000_000
"""Functions that call functions grow exponentially: thirty of two calls each make a billion nodes.
The largest networks in use have some ten thousand."""


def inlined(model: ModelProto) -> ModelProto:
    """The model without functions of its own.

    Raises:
        ModelFileError: A function calls itself, the result would be absurdly large, or a function
            was written for another operator set.
    """
    if not model.functions:
        return model
    bodies = {_identity(function): function for function in model.functions}
    calls = {
        identity: {_called(node) for node in every_node(function.node)} & bodies.keys()
        for identity, function in bodies.items()
    }
    try:
        order = list(TopologicalSorter(calls).static_order())
    except CycleError as error:
        raise ModelFileError(f"function {error.args[1][0][1]!r} calls itself") from error
    sizes: dict[tuple[str, str, str], int] = {}
    for identity in order:
        size = sum(sizes.get(_called(node), 1) for node in every_node(bodies[identity].node))
        sizes[identity] = min(size, MAX_NODES + 1)
    total = sum(sizes.get(_called(node), 1) for node in every_node(model.graph.node))
    if total > MAX_NODES:
        raise ModelFileError(f"the file's functions stand for more than {MAX_NODES} nodes; refused")
    try:
        result = inliner.inline_local_functions(model)
    except Exception as error:  # the inliner throws what its parser and checker throw
        reason = " ".join(str(error).split())[:200]
        raise ModelFileError(f"the file's functions cannot be written out: {reason}") from error
    if result.functions:
        raise ModelFileError(
            f"function {result.functions[0].name!r} uses another operator set than the model; "
            "export the model with its functions inlined"
        )
    return result


def _identity(function: FunctionProto) -> tuple[str, str, str]:
    return function.domain, function.name, function.overload


def _called(node: NodeProto) -> tuple[str, str, str]:
    return node.domain, node.op_type, node.overload
