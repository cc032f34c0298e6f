"""A design as a platform that planners and the simulator know: a file, or a cost table at once."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from counterpoint.costs.models.overlay.core import Design
from counterpoint.costs.platform_costs import cost_table
from counterpoint.costs.stage_network import NoModel
from counterpoint.costs.table import CostTable
from counterpoint.explore.workload import Workload
from counterpoint.network.graph import Layer, Network, TensorSpec
from counterpoint.planning.result import PlanResult
from counterpoint.planning.throughput import plan_throughput
from counterpoint.platform.file_content import PlatformFile
from counterpoint.platform.file_entries import DeviceEntry, UnitEntry
from counterpoint.platform.model import DeviceKind

ENGINE = "overlay"

SOURCE = "model"


def design_platform(name: str, design: Design) -> PlatformFile:
    """The platform file of a design: an NPU for each core, all on the host's memory.

    Cores share that memory's bandwidth: planning for throughput knows it. What one core takes for a
    layer is told as if it had the memory alone.

    Args:
        name: Of the platform.
        design: Its cores and memory.
    """
    several = len(design.cores) > 1
    names = [f"NPU.{number}" if several else "NPU" for number in range(len(design.cores))]
    return PlatformFile(
        name=name,
        description="a design of overlay cores, found by counterpoint explore",
        sources={SOURCE: "cycle model of overlay cores, counterpoint.costs.models.overlay"},
        devices=tuple(
            DeviceEntry(name=device, kind=DeviceKind.NPU, description=core.kind.name.lower())
            for device, core in zip(names, design.cores, strict=True)
        ),
        units=tuple(
            UnitEntry(
                engine=ENGINE,
                devices=(device,),
                precision="int8",
                model="overlay",
                parameters={
                    "kind": core.kind.name.lower(),
                    "elements": core.elements,
                    "inputs": core.inputs,
                    "feature_buffer_bytes": core.feature_buffer_bytes,
                    "weight_buffer_bytes": core.weight_buffer_bytes,
                    "clock_hz": core.clock_hz,
                    "dram_bytes_per_cycle": design.dram_bytes_per_cycle,
                    "duplex": design.duplex,
                    "sharers": len(design.cores),
                },
                basis=f"assumed {SOURCE}",
            )
            for device, core in zip(names, design.cores, strict=True)
        ),
    )


def plan_lanes(workload: Workload, design: Design) -> PlanResult:
    """Lanes of a workload's frames on a design, by the project's throughput planner.

    A frame is one run of all networks, each as often as the workload says: one block of lanes for
    each, joined by the cores and by the rate of frames.
    """
    platform = design_platform("design", design)
    tables = [cost_table(platform, network) for network in workload.networks]
    if len(tables) == 1 and workload.images == (1,):
        return plan_throughput(workload.networks[0], tables[0])
    joint = joint_network(workload)
    return plan_throughput(joint, _joint_table(joint, tables, workload.images))


def joint_network(workload: Workload) -> Network:
    """All networks of a workload side by side, each once; names begin with the network's place."""
    layers: list[Layer] = []
    tensors: dict[str, TensorSpec] = {}
    for place, network in enumerate(workload.networks):
        for name, spec in network.tensors.items():
            tensors[_own(place, name)] = replace(spec, name=_own(place, name))
        layers += [
            replace(
                layer,
                index=len(layers) + layer.index,
                name=_own(place, layer.name),
                inputs=tuple(_own(place, name) for name in layer.inputs),
                outputs=tuple(_own(place, name) for name in layer.outputs),
            )
            for layer in network.layers
        ]
    hashes = [network.content_hash for network in workload.networks]
    return Network(
        name=workload.name,
        inputs=_all_own(workload, [network.inputs for network in workload.networks]),
        outputs=_all_own(workload, [network.outputs for network in workload.networks]),
        layers=tuple(layers),
        tensors=tensors,
        content_hash=hashlib.blake2b(repr((hashes, workload.images)).encode()).hexdigest()[:32],
        source=NoModel(workload.name),
    )


def _joint_table(joint: Network, tables: list[CostTable], images: tuple[int, ...]) -> CostTable:
    """Costs of a frame: each network's layers as often as it comes."""
    first = tables[0]
    return replace(
        first,
        network_hash=joint.content_hash,
        layer_names=tuple(layer.name for layer in joint.layers),
        layer_ns=tuple(
            tuple(None if cell is None else times * cell for cell in row)
            for table, times in zip(tables, images, strict=True)
            for row in table.layer_ns
        ),
        refusals={},
        shared_ns={
            name: tuple(
                tuple(times * cell for cell in row)
                for table, times in zip(tables, images, strict=True)
                for row in table.shared_ns[name]
            )
            for name in first.shared_ns
        },
    )


def _all_own(workload: Workload, groups: list[tuple[TensorSpec, ...]]) -> tuple[TensorSpec, ...]:
    return tuple(
        replace(spec, name=_own(place, spec.name))
        for place in range(len(workload.networks))
        for spec in groups[place]
    )


def _own(place: int, name: str) -> str:
    return f"{place}:{name}"
