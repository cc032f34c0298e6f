"""What is benched, where, and how long it may take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from counterpoint.bench.matrix.entrants import Frame
from counterpoint.costs.store import Store
from counterpoint.engines.protocol import Engine
from counterpoint.errors import UserInputError
from counterpoint.network.graph import Network
from counterpoint.network.precision.quantise import quantise, refusals
from counterpoint.network.precision.scheme import Scheme
from counterpoint.platform.model import ComputeUnit, DeviceKind, Platform
from counterpoint.tuning.calibration import calibrate
from counterpoint.tuning.frames import seeded_frame
from counterpoint.tuning.progress import Progress
from counterpoint.tuning.tune import chosen_units

SEEDED_IMAGES = 100
"""Loaded before anything is timed, as in Xu et al. (NPC 2019, section 3.2)."""

IN_MEMORY = 3.0
"""Times its weights that a contender may take: the file's, the engine's own order of them, and
working memory."""

CALIBRATION_FRAMES = 2
"""Speed does not depend on the ranges, and nothing is said of accuracy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A network by name.

    Attributes:
        name: As the user wrote it.
        load: Reads or builds it.
        frames: Its images, made ready: inputs by name; ``None`` for seeded ones.
        load_with_batchnorm: The same with BatchNorm layers kept; ``None``: not to be looked at.
    """

    name: str
    load: Callable[[], Network]
    frames: Callable[[Network], Sequence[Frame]] | None = None
    load_with_batchnorm: Callable[[], Network] | None = None

    def images(self, network: Network, count: int) -> list[Frame]:
        """At most so many frames of one image, at least one.

        Raises:
            FrameError: There is none, or one cannot be used.
        """
        if self.frames is not None:
            return list(self.frames(network))
        return [seeded_frame(network.inputs, seed) for seed in range(min(count, SEEDED_IMAGES))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """This machine.

    Attributes:
        platform: Devices and units.
        side_by_side: The same, with the CPU also cut into its cores.
        engines: By name.
        store: Keeps what tuning measures.
        memory_bytes: What may be used; ``None`` when not known.
    """

    platform: Platform
    side_by_side: Platform
    engines: Mapping[str, Engine]
    store: Store
    memory_bytes: int | None = None

    def units(self, network: Network, precisions: Sequence[str]) -> tuple[ComputeUnit, ...]:
        """Units that run the network as it is; none where no unit is left."""
        try:
            return chosen_units(
                network, self.platform.units, precisions, software=self.platform.named
            )
        except UserInputError:
            return ()

    def units_here(self, precisions: Sequence[str]) -> tuple[ComputeUnit, ...]:
        """Units of hardware, and those that the user named."""
        return tuple(
            unit
            for unit in self.platform.units
            if unit.precision in precisions
            and (self.platform.named or not unit.devices[0].is_software)
        )

    def left_out_devices(self, precisions: Sequence[str]) -> tuple[str, ...]:
        """Devices that are software on the CPU, unless the user named them."""
        here = self.units_here(precisions)
        out = (u for u in self.platform.units if u.precision in precisions and u not in here)
        return tuple(dict.fromkeys(unit.devices[0].name for unit in out))

    def is_crowded(self, network: Network, contenders: int) -> bool:
        """So many of them would take more than half of the memory."""
        needed = IN_MEMORY * contenders * network.weight_bytes
        return self.memory_bytes is not None and needed > self.memory_bytes / 2

    def int8_units(self) -> tuple[ComputeUnit, ...]:
        """Units that a quantised network runs on."""
        return tuple(
            unit
            for unit in self.platform.units
            if unit.precision == "int8"
            and unit.setting("threads") is None
            and not unit.devices[0].is_part
        )

    @property
    def sharing(self) -> str:
        """How plans for throughput share the machine, by the name that tuning has for it.

        Where there are CPUs alone, one lane for each core: mixed lanes hardly ever are faster
        there, and take minutes to find. With other devices, or a single core, every way.
        """
        devices = {device for unit in self.side_by_side.units for device in unit.devices}
        hardware = [device for device in devices if not device.is_software]
        cpus_alone = all(device.kind is DeviceKind.CPU for device in hardware)
        return "replicate" if cpus_alone and any(device.is_part for device in hardware) else "auto"

    def restricted(self, platform: Platform, kinds: Sequence[ComputeUnit]) -> Platform:
        """Only units of those engines and precisions."""
        wanted = {(unit.engine, unit.precision) for unit in kinds}
        units = tuple(unit for unit in platform.units if (unit.engine, unit.precision) in wanted)
        return replace(platform, units=units)


def in_int8(network: Network, frames: Sequence[Frame], progress: Progress) -> Network:
    """The network with every layer in int8 that can be; ranges from the first frames.

    Raises:
        UserInputError: No layer can be.
        EngineError: ONNX Runtime is not installed or cannot run the network.
    """
    refused = refusals(network)
    layers = [layer.index for layer in network.layers if layer.index not in refused]
    if not layers:
        raise UserInputError(f"no layer of {network.name} has an int8 form")
    ranges = calibrate(network, frames[:CALIBRATION_FRAMES], progress=progress)
    return quantise(network, layers, ranges, Scheme())
