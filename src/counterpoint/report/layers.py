"""What a network consists of, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType

from counterpoint.network.graph import Network, TensorSpec
from counterpoint.report.document import Document, document
from counterpoint.report.quantities import count, number, size
from counterpoint.report.tables import add_row, table


def network_document(network: Network) -> Document:
    """For programs; always with every layer."""
    return document(
        "network",
        {
            "name": network.name,
            "hash": network.content_hash,
            "inputs": [_spec(spec) for spec in network.inputs],
            "outputs": [_spec(spec) for spec in network.outputs],
            "macs": network.macs,
            "weight_bytes": network.weight_bytes,
            "layers": [
                {
                    "index": layer.index,
                    "name": layer.name,
                    "kind": layer.kind,
                    "operators": list(layer.operators),
                    "inputs": list(layer.inputs),
                    "outputs": list(layer.outputs),
                    "macs": layer.macs,
                    "weight_bytes": layer.weight_bytes,
                    "input_bytes": layer.input_bytes,
                    "output_bytes": layer.output_bytes,
                    "arithmetic_intensity_macs_per_byte": layer.arithmetic_intensity,
                    "quantised": layer.quantised,
                }
                for layer in network.layers
            ],
        },
    )


def network_tables(network: Network, limit: int | None = None) -> list[RenderableType]:
    """For people.

    Args:
        network: What to show.
        limit: Show at most so many layers.
    """
    shown = network.layers[:limit]
    mixed = network.is_quantised and not all(layer.quantised for layer in network.layers)
    words = ["#", "layer", "kind", *(["int8"] if mixed else [])]
    layers = table(network.name, words, ["MACs", "weights", "in", "out", "MAC/byte"])
    for layer in shown:
        cells: list[object] = [layer.index, layer.name, layer.kind]
        if mixed:
            cells.append("int8" if layer.quantised else "")
        cells += [
            count(layer.macs) if layer.macs else "-",
            size(layer.weight_bytes) if layer.weight_bytes else "-",
            size(layer.input_bytes),
            size(layer.output_bytes),
            number(layer.arithmetic_intensity) if layer.macs else "-",
        ]
        add_row(layers, *cells)
    hidden = len(network.layers) - len(shown)
    note = [f"and {hidden} more"] if hidden else []
    return [layers, *note, "", *_totals(network)]


def _totals(network: Network) -> list[RenderableType]:
    kind = "int8" if network.is_quantised else "float"
    return [
        f"{len(network.layers)} layers ({kind}), {count(network.macs)} multiply-adds, "
        f"{size(network.weight_bytes)} of weights",
        f"takes   {_listed(network.inputs)}",
        f"returns {_listed(network.outputs)}",
    ]


def _listed(specs: Sequence[TensorSpec]) -> str:
    return ", ".join(f"{spec.name} {spec.dtype} {shape_text(spec.shape)}" for spec in specs)


def shape_text(shape: Sequence[int] | None) -> str:
    """``1x3x224x224``."""
    return "of unknown shape" if shape is None else "x".join(map(str, shape)) or "scalar"


def _spec(spec: TensorSpec) -> Document:
    return {
        "name": spec.name,
        "dtype": spec.dtype,
        "shape": None if spec.shape is None else list(spec.shape),
    }
