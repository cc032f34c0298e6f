"""What was written as ONNX."""

from __future__ import annotations

from rich.console import RenderableType

from counterpoint.network.graph import Network
from counterpoint.network.onnx_export import WrittenModel
from counterpoint.report.document import Document, document
from counterpoint.report.layers import shape_text
from counterpoint.report.quantities import size
from counterpoint.report.tables import facts


def conversion_document(network: Network, written: WrittenModel) -> Document:
    """For programs."""
    return document(
        "conversion",
        {
            "network": network.name,
            "layers": len(network.layers),
            "file": str(written.path),
            "data_file": None if written.data_path is None else str(written.data_path),
            "size_bytes": written.size_bytes,
        },
    )


def conversion_tables(network: Network, written: WrittenModel) -> list[RenderableType]:
    """For people."""
    rows: list[tuple[str, object]] = [
        ("network", f"{network.name}, {len(network.layers)} layers"),
        *(("input", f"{spec.name} {shape_text(spec.shape)}") for spec in network.inputs),
        *(("output", f"{spec.name} {shape_text(spec.shape)}") for spec in network.outputs),
        ("written to", f"{written.path}, {size(written.size_bytes)}, checked"),
    ]
    if written.data_path is not None:
        rows.append(("weights in", written.data_path))
    return [facts(rows)]
