"""The library's front door: the pieces put together for this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from counterpoint.costs.store import Store
from counterpoint.engines.protocol import Engine, Tensor
from counterpoint.engines.registry import planning_engines, with_units
from counterpoint.errors import UserInputError
from counterpoint.network.graph import Network
from counterpoint.platform.host import host_platform, parse_cpu_groups
from counterpoint.platform.model import Platform
from counterpoint.schedule.plan import Plan
from counterpoint.schedule.session import Session as _Session
from counterpoint.tuning.progress import Progress
from counterpoint.tuning.tune import TuneResult
from counterpoint.tuning.tune import tune as _tune

PRECISIONS = ("fp32", "bf16", "fp16", "int8")


@dataclass(frozen=True, slots=True)
class Machine:
    """This machine: its platform and the engines that run here.

    Attributes:
        platform: Devices and units.
        engines: By name.
    """

    platform: Platform
    engines: Mapping[str, Engine]


def devices(
    *,
    cpu_groups: str | None = None,
    cpu_parts: Mapping[str, tuple[int, ...]] | None = None,
    only: Sequence[str] | None = None,
) -> Machine:
    """What is here.

    Args:
        cpu_groups: Also cut the CPU into groups of cores, e.g. ``"1,1"`` or ``"P,E"``.
        cpu_parts: The same as a plan writes it down: :attr:`Plan.cpu_parts`.
        only: Keep the units of these names, or whose names contain them (``CPU``, ``openvino``,
            ``GPU.0``).

    Raises:
        UserInputError: The groups do not fit, or nothing is left.
    """
    groups = parse_cpu_groups(cpu_groups) if cpu_groups else None
    engines = planning_engines()
    platform = with_units(host_platform(cpu_groups=groups, cpu_parts=cpu_parts), engines)
    if only:
        names = {unit.name for unit in platform.units}
        kept = tuple(
            unit
            for unit in platform.units
            if any(word == unit.name or (word not in names and word in unit.name) for word in only)
        )
        if not kept:
            known = ", ".join(unit.name for unit in platform.units) or "none"
            raise UserInputError(f"no unit matches {', '.join(only)}; there are: {known}")
        platform = Platform(
            platform.name,
            platform.fingerprint,
            platform.devices,
            kept,
            platform.links,
            platform.facts,
        )
    return Machine(platform, engines)


def precisions_of(text: str | None) -> tuple[str, ...] | None:
    """``fp32,bf16`` or ``any`` as a tuple; ``None`` (the network's own) for ``None``.

    Raises:
        UserInputError: An unknown precision.
    """
    if text is None:
        return None
    if text == "any":
        return PRECISIONS
    wanted = tuple(word.strip() for word in text.split(","))
    for word in wanted:
        if word not in PRECISIONS:
            known = ", ".join(PRECISIONS)
            raise UserInputError(f"unknown precision {word!r}; known: {known}, any")
    return wanted


def tune(
    network: Network,
    *,
    precision: str | None = None,
    machine: Machine | None = None,
    store: Store | Path | None = None,
    frames: Sequence[Mapping[str, Tensor]] | None = None,
    fixed: Mapping[int, str] | None = None,
    progress: Progress | None = None,
    compare_installed: bool = True,
) -> TuneResult:
    """Finds the plan of least latency of a network on this machine.

    Args:
        network: From :func:`counterpoint.load`.
        precision: ``None``: the network's own; ``any``; or a list like ``fp32,bf16``.
        machine: From :func:`devices`; ``None`` for all of this one.
        store: An open store, or its file; ``None`` for the user's own.
        frames: Real frames to verify with, inputs by name.
        fixed: Layers (by index) that have to run on a unit (by name).
        progress: Told how far it is.
        compare_installed: Also time what the engines do as installed.

    Raises:
        CounterpointError: See :func:`counterpoint.tuning.tune.tune`.
    """
    here = machine or devices()
    opened = store if isinstance(store, Store) else Store.open(store)
    try:
        return _tune(
            network,
            platform=here.platform,
            engines=here.engines,
            store=opened,
            precisions=precisions_of(precision),
            frames=frames,
            fixed=fixed,
            progress=progress,
            compare_installed=compare_installed,
        )
    finally:
        if opened is not store:
            opened.close()


class Session(_Session):
    """A network that runs by a plan on this machine.

    Args:
        network: What runs.
        plan: How; its units must be here.
        machine: From :func:`devices`; ``None`` for this one, cut as the plan needs it.
        allow_other_machine: Accept a plan that was made elsewhere if its units are here.
        trace: Record who ran what when.
    """

    def __init__(
        self,
        network: Network,
        plan: Plan,
        *,
        machine: Machine | None = None,
        allow_other_machine: bool = False,
        trace: bool = False,
    ) -> None:
        here = machine or devices(cpu_parts=plan.cpu_parts)
        super().__init__(
            network,
            plan,
            engines=here.engines,
            platform=here.platform,
            allow_other_machine=allow_other_machine,
            trace=trace,
        )
