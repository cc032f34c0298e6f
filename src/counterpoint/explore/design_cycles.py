"""Cycles of layers on the cores of one design."""

from __future__ import annotations

from counterpoint.costs.models.overlay.core import CoreArrays, Design
from counterpoint.costs.models.overlay.cycles import CycleTable, cycles_table
from counterpoint.costs.models.overlay.shapes import LayerShapes


def design_cycles(shapes: LayerShapes, design: Design) -> CycleTable:
    """Each layer on each core, tiled for the core's share of the memory."""
    return cycles_table(
        shapes,
        CoreArrays.of(design.cores),
        design.dram_bytes_per_cycle,
        sharers=len(design.cores),
        duplex=design.duplex,
    )
