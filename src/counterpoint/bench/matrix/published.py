"""What Xu et al. (NPC 2019) saw in networks, run once more: BatchNorm kept, and fewer threads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from counterpoint.bench.breakdown.layer_types import BATCHNORM, layer_type
from counterpoint.bench.breakdown.unfused import BATCHNORM_KEPT, unfused_units
from counterpoint.bench.matrix.subject import Site
from counterpoint.bench.result import Contender, Method
from counterpoint.network.graph import Network
from counterpoint.platform.model import ComputeUnit, Platform
from counterpoint.schedule.plan import Plan
from counterpoint.tuning.planned import plan_on_unit

ENGINE = "onnxruntime"
"""It tells how long its threads wait, and can be told to fuse nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """A run that is broken down.

    Attributes:
        contender: Who runs.
        network: What.
        plan: How.
        platform: Where; it has the plan's units.
        variant: What was done to the network first.
    """

    contender: Contender
    network: Network
    plan: Plan
    platform: Platform
    variant: str = ""


def thread_counts(network: Network, site: Site) -> Iterator[Explained]:
    """The network on one engine with all threads and with one."""
    for unit in _units(site):
        if unit.setting("threads") in (None, "1"):
            yield _explained(network, site, site.platform, unit)


def batchnorm_kept(network: Network, site: Site) -> Iterator[Explained]:
    """A network with BatchNorm layers as it was written.

    Args:
        network: With BatchNorm kept; of one that has none there is nothing to tell.
        site: Where.
    """
    operators = {operator for layer in network.layers for operator in layer.operators}
    if not any(layer_type(operator, None) == BATCHNORM for operator in operators):
        return
    units = unfused_units(replace(site.platform, units=tuple(_units(site))))
    platform = replace(site.platform, units=units)
    for unit in units:
        if unit.setting("threads") is None:
            found = _explained(network, site, platform, unit)
            yield replace(found, variant=BATCHNORM_KEPT)


def _units(site: Site) -> list[ComputeUnit]:
    """Of that engine, on all of the CPU, in fp32."""
    return [
        unit
        for unit in site.platform.units
        if unit.engine == ENGINE
        and unit.precision == "fp32"
        and unit.setting("provider") is None
        and not unit.devices[0].is_part
    ]


def _explained(network: Network, site: Site, platform: Platform, unit: ComputeUnit) -> Explained:
    software = f"{unit.engine} {site.engines[unit.engine].version()}"
    return Explained(
        contender=Contender(
            unit.name, Method.UNIT, unit.precision, software, platform=platform.name
        ),
        network=network,
        plan=plan_on_unit(network, platform, site.engines, unit.name),
        platform=platform,
    )
