"""A network whose recorded stages are its layers: what planners see, so that none is cut apart.

Costs inside a stage were not measured; a planner that knew its layers would cut where the record
says nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from counterpoint.costs.recorded import StageLayers
from counterpoint.costs.table import CostTable
from counterpoint.errors import PlatformFileError
from counterpoint.network.graph import Layer, Network


def merged_network(network: Network, stages: StageLayers) -> Network:
    """The network with one layer for each stage.

    Args:
        network: Any.
        stages: Indices of each stage's layers; together all layers, in run order.

    Raises:
        PlatformFileError: A stage is no convex part of the network.
    """
    digest = hashlib.blake2b(f"{network.content_hash} {stages}".encode(), digest_size=16)
    layers = []
    for index, members in enumerate(stages):
        if not network.is_convex(frozenset(members)):
            names = [network.layers[member].name for member in (members[0], members[-1])]
            raise PlatformFileError(
                f"{network.name}: the recorded stage {names[0]}..{names[1]} is left and entered "
                "again: it cannot run in one call"
            )
        layers.append(_stage(network, members, index, f"{digest.hexdigest()}.{index}"))
    return replace(network, layers=tuple(layers), content_hash=digest.hexdigest())


def merged_table(table: CostTable, merged: Network, stages: StageLayers) -> CostTable:
    """Costs of the merged network: sums over each stage's layers."""
    columns = range(len(table.units))
    energy = table.layer_energy_pj
    return replace(
        table,
        network_hash=merged.content_hash,
        layer_names=tuple(layer.name for layer in merged.layers),
        layer_ns=tuple(
            tuple(_sum([table.layer_ns[layer][column] for layer in members]) for column in columns)
            for members in stages
        ),
        refusals={
            (index, column): table.refusals[layer, column]
            for index, members in enumerate(stages)
            for layer in reversed(members)
            for column in columns
            if (layer, column) in table.refusals
        },
        layer_energy_pj=None
        if energy is None
        else tuple(
            tuple(_sum([energy[layer][column] for layer in members]) for column in columns)
            for members in stages
        ),
        shared_ns={
            name: tuple(
                tuple(sum(rows[layer][column] for layer in members) for column in columns)
                for members in stages
            )
            for name, rows in table.shared_ns.items()
        },
    )


def _stage(network: Network, members: tuple[int, ...], index: int, signature: str) -> Layer:
    if len(members) == len(network.layers):
        inputs, outputs = network.inputs, network.outputs
    else:
        part = network.subnetwork(members)
        inputs, outputs = part.inputs, part.outputs
    inside = [network.layers[member] for member in members]
    main = max(inside, key=lambda layer: layer.macs)
    return Layer(
        index=index,
        name=main.name,
        kind=main.kind,
        operators=tuple(operator for layer in inside for operator in layer.operators),
        nodes=tuple(sorted({node for layer in inside for node in layer.nodes})),
        inputs=tuple(spec.name for spec in inputs),
        outputs=tuple(spec.name for spec in outputs),
        macs=sum(layer.macs for layer in inside),
        weight_bytes=sum(layer.weight_bytes for layer in inside),
        input_bytes=_sum([spec.size_bytes for spec in inputs]),
        output_bytes=_sum([spec.size_bytes for spec in outputs]),
        quantised=any(layer.quantised for layer in inside),
        signature=signature,
    )


def _sum(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None
