"""Rewrites layers to int8: QuantizeLinear and DequantizeLinear around them (QDQ form).

The result is an ordinary network. What a layer in int8 makes is an int8 tensor; each of its readers
has a DequantizeLinear of its own, as engines want it to fuse both.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from counterpoint.errors import UserInputError
from counterpoint.network.graph import Network, Subnetwork
from counterpoint.network.grouping import Grouper
from counterpoint.network.layering import network_of
from counterpoint.network.onnx_graph import OnnxGraph, graph_behind
from counterpoint.network.precision.choice import PrecisionChoice
from counterpoint.network.precision.held_tensors import held_tensors, steps_of
from counterpoint.network.precision.joining import with_joined
from counterpoint.network.precision.layer_form import Int8Form, int8_form
from counterpoint.network.precision.opset import with_opset
from counterpoint.network.precision.qdq_writer import QdqWriter
from counterpoint.network.precision.ranges import Ranges
from counterpoint.network.precision.scheme import Scheme


def quantise(network: Network, layers: Collection[int], ranges: Ranges, scheme: Scheme) -> Network:
    """The network with those layers in int8; the others compute what they did.

    Pools, Concats, sums and reshapes between them go along. A layer keeps the name of its main
    node; scale and bias by channel behind a product are folded into its weights. The same arguments
    give the same network, names and hash.

    Args:
        network: Stays as it is. Layers that it quantises itself stay so.
        layers: Indices; :func:`refusals` says which cannot be chosen.
        ranges: Of the tensors of :func:`observed`, or of those of them that are needed.
        scheme: How values become int8.

    Raises:
        UserInputError: A layer has no int8 form (says why), the range of a tensor is missing, or
            the network's operators are too old and cannot be converted.
        MachineError: No room for the weights.
    """
    if not layers:
        return network
    names = [network.layers[index].name for index in sorted(layers)]
    graph = with_opset(graph_behind(network), network.name)
    modern = network if graph is network.source else network_of(graph, network.name)
    forms, reasons = _forms(modern, graph)
    index_of = {layer.name: layer.index for layer in modern.layers}
    for name in names:
        index = index_of.get(name)
        if index not in forms:
            reason = reasons.get(-1 if index is None else index, "it is gone in newer operators")
            raise UserInputError(f"layer {name!r} of {network.name} cannot be int8: {reason}")
    joined = with_joined(modern, [index_of[name] for name in names], forms)
    chosen = {index: forms[index] for index in sorted(joined)}
    held = held_tensors(graph, chosen.values())
    steps = steps_of(graph, chosen.values(), held, ranges, scheme)
    writer = QdqWriter(graph, steps, scheme)
    mains = {form.main: form for form in chosen.values()}
    dropped = {index for form in chosen.values() for index in form.dropped}
    for position, node in enumerate(graph.nodes):
        form = mains.get(position)
        if form is not None and form.product is not None:
            writer.multiply(node, form.product, form.multiplied)
        elif position not in dropped:
            writer.written.keep(node)
    made = {name for form in chosen.values() for name in form.made}
    for tensor in held:
        readers = [
            graph.nodes[form.main].name for form in chosen.values() if tensor in form.sources
        ]
        writer.convert(tensor, None if tensor in made else readers)
    return network_of(writer.written.graph(), network.name)


def as_chosen(network: Network, choice: PrecisionChoice) -> Network:
    """The network as a plan's choice of precision makes it.

    Raises:
        UserInputError: A layer or tensor is not there, or as :func:`quantise`.
        MachineError: No room for the weights.
    """
    index_of = {layer.name: layer.index for layer in network.layers}
    for name in choice.int8:
        if name not in index_of:
            raise UserInputError(
                f"{network.name} has no layer {name!r}, which shall be int8: "
                "counterpoint inspect lists its layers"
            )
    known = graph_behind(network).specs
    for name in choice.ranges.tensors:
        if name not in known:
            raise UserInputError(f"{network.name} has no tensor {name!r}, whose range is given")
    return quantise(network, [index_of[name] for name in choice.int8], choice.ranges, choice.scheme)


def choice_of(
    network: Network, layers: Collection[int], ranges: Ranges, scheme: Scheme
) -> PrecisionChoice:
    """What a plan writes down of the same arguments as :func:`quantise`: only what is needed.

    Args:
        network: As for :func:`quantise`.
        layers: At least one.
        ranges: As for :func:`quantise`.
        scheme: As for :func:`quantise`.
    """
    forms, _ = _forms(network, graph_behind(network))
    joined = with_joined(network, layers, forms)
    needed = [name for index in joined for name in forms[index].tensors]
    names = tuple(network.layers[index].name for index in sorted(layers))
    return PrecisionChoice(names, scheme, ranges.only(needed))


def refusals(network: Network) -> Mapping[int, str]:
    """Why layers have no int8 form, by index. Layers that are not in it can be chosen.

    Raises:
        UserInputError: The network was not made of an ONNX graph.
    """
    return _forms(network, graph_behind(network))[1]


def observed(network: Network) -> Subnetwork:
    """The whole network, made to return each tensor whose range :func:`quantise` may need.

    Raises:
        UserInputError: The network was not made of an ONNX graph.
    """
    graph = graph_behind(network)
    forms, _ = _forms(network, graph)
    given = set(graph.inputs)
    names = dict.fromkeys(name for form in forms.values() for name in form.tensors)
    outputs = tuple(graph.specs[name] for name in names if name not in given)
    return Subnetwork(network, network.layers, network.inputs, outputs)


def _forms(network: Network, graph: OnnxGraph) -> tuple[dict[int, Int8Form], dict[int, str]]:
    """The int8 form of each layer that has one, and why the others have none."""
    constant = Grouper(graph).constant
    forms: dict[int, Int8Form] = {}
    reasons: dict[int, str] = {}
    for layer in network.layers:
        form = int8_form(graph, layer, constant)
        if isinstance(form, str):
            reasons[layer.index] = form
        else:
            forms[layer.index] = form
    return forms, reasons
