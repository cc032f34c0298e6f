"""What the verb ``bench`` is made of: networks with their images, the machine, and the file."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from counterpoint.api import devices, one_core_each
from counterpoint.bench.energy.choice import power_source
from counterpoint.bench.energy.measuring import NoEnergy, measure_idle
from counterpoint.bench.matrix.entrants import Frame
from counterpoint.bench.matrix.machine import described, measured_peaks
from counterpoint.bench.matrix.matrix import IMAGES, ModelledSubject
from counterpoint.bench.matrix.row_energy import RowEnergy, by_power, counted
from counterpoint.bench.matrix.settings import BenchSettings
from counterpoint.bench.matrix.subject import Site, Subject
from counterpoint.bench.result import MachineDescription
from counterpoint.bench.result_file import Header, ResultFile, StoredResult
from counterpoint.cli.bench import EnergyOptions
from counterpoint.cli.elsewhere import chosen_elsewhere
from counterpoint.cli.frame_source import chosen_recipe, image_frames
from counterpoint.cli.options import (
    RECORDED,
    ZOO,
    MachineOptions,
    NetworkOptions,
    PlatformOptions,
    StoreOptions,
)
from counterpoint.costs.store import Store
from counterpoint.engines.protocol import PreparesSegments
from counterpoint.errors import ResultFileError, UserInputError
from counterpoint.frames.images import find_images
from counterpoint.network.graph import Network
from counterpoint.platform.file_content import PlatformFile
from counterpoint.platform.host_description import read_host
from counterpoint.platform.model import Platform
from counterpoint.tuning.progress import Progress


def subjects_here(
    networks: Sequence[NetworkOptions], images: Sequence[Path], preprocess: str | None
) -> list[Subject]:
    """The networks with their images; whatever can be wrong with them is found now.

    Args:
        networks: Which.
        images: Photographs and folders of them; none for seeded images.
        preprocess: How they become inputs.

    Raises:
        CounterpointError: A network cannot be loaded, or its images cannot be used.
    """
    if preprocess is not None and not images:
        raise UserInputError("--preprocess is for --images, which is not given")
    if images:
        find_images(images)
    subjects = []
    for options in networks:
        if options.name.startswith(RECORDED):
            raise UserInputError(f"{options.name} is a platform's record: name the platform by -p")
        _check_builder(options.name)
        frames = _photographs(options, images, preprocess) if images else None
        is_onnx = options.path is not None and options.path.suffix.lower() == ".onnx"
        as_written = options if is_onnx else replace(options, keep_batchnorm=True)
        subject = Subject(
            name=options.name,
            load=options.load,
            frames=frames,
            load_with_batchnorm=as_written.load,
        )
        if options.path is not None or frames is not None:
            network = subject.load()
            if frames is not None:
                frames(network)
        subjects.append(subject)
    return subjects


def _check_builder(name: str) -> None:
    from counterpoint.network.zoo import NAMES

    builder = name.removeprefix(ZOO)
    if name.startswith(ZOO) and builder not in NAMES:
        raise UserInputError(f"no network {builder!r} in the zoo; known: {', '.join(NAMES)}")


def _photographs(
    options: NetworkOptions, images: Sequence[Path], preprocess: str | None
) -> Callable[[Network], list[Frame]]:
    def frames(network: Network) -> list[Frame]:
        recipe = chosen_recipe(preprocess, options.path)
        named = image_frames(network, images, recipe, options.path)
        return [frame.inputs for frame in islice(named, IMAGES)]

    return frames


def modelled_subjects(
    networks: Sequence[NetworkOptions],
    platform: PlatformFile,
    *,
    on: PlatformOptions,
    machine: MachineOptions,
    store: StoreOptions,
    precision: str | None,
) -> list[ModelledSubject]:
    """The networks on a platform that is not here.

    Raises:
        CounterpointError: A network cannot be loaded, or an option does not fit the platform.
    """
    if on.any_clock:
        raise UserInputError("--clock any is not for bench: give the steps, CPU.0=3,GPU=4")
    units = chosen_elsewhere(platform, machine, store, precision)
    subjects = []
    for options in networks:
        network = options.load(platform)
        subjects.append(
            ModelledSubject(
                name=options.name,
                load=_ready(network),
                platform=platform,
                units=units,
                clocks=on.clocks,
            )
        )
    return subjects


def _ready(network: Network) -> Callable[[], Network]:
    return lambda: network


def this_site(machine: MachineOptions, store: Store, settings: BenchSettings) -> Site:
    """This machine, also cut into its cores; engines that convert networks only if wanted.

    Raises:
        UserInputError: No unit is left.
    """
    whole = machine.machine()
    parts = whole
    if machine.cpu_groups is None:
        parts = replace(machine, cpu_groups=one_core_each()).machine()
    host = read_host()
    engines = {
        name: engine
        for name, engine in whole.engines.items()
        if settings.converters or machine.device or not isinstance(engine, PreparesSegments)
    }
    return Site(
        platform=_of_engines(whole.platform, engines),
        side_by_side=_of_engines(parts.platform, engines),
        engines=engines,
        store=store,
        memory_bytes=host.memory_limit_bytes or host.memory_bytes,
    )


def _of_engines(platform: Platform, engines: Container[str]) -> Platform:
    return replace(platform, units=tuple(unit for unit in platform.units if unit.engine in engines))


def this_machine(settings: BenchSettings) -> MachineDescription:
    """This machine as it is written down; nothing is measured."""
    here = devices()
    return described(here.platform, here.engines, settings.precisions)


def with_peaks(
    machine: MachineDescription, site: Site | None, settings: BenchSettings, progress: Progress
) -> MachineDescription:
    """The description with what units and memory can do at best, where that is to be explained."""
    if site is None or not settings.explain:
        return machine
    peaks, bandwidth = measured_peaks(site, settings.precisions, progress)
    return replace(machine, peaks=peaks, copy_bytes_per_s=bandwidth)


def settings_told(settings: BenchSettings, **more: object) -> dict[str, str]:
    """What rows depend on, by name."""
    told = {
        "metrics": ", ".join(settings.metrics),
        "methods": ", ".join(settings.methods),
        "precisions": ", ".join(settings.precisions),
        "latency images": str(settings.latency_images),
        "throughput images": str(settings.throughput_images),
        "batches": ", ".join(map(str, settings.batches)),
        "engines that convert": "yes" if settings.converters else "no",
    }
    return told | {name: str(value) for name, value in more.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The file that a bench writes to.

    Attributes:
        path: Where.
        fresh: Start anew where there is a result.
    """

    path: Path
    fresh: bool

    def open(
        self,
        machine: MachineDescription,
        settings: dict[str, str],
        peaks: Callable[[], MachineDescription],
        *,
        adds_elsewhere: bool,
    ) -> tuple[ResultFile, StoredResult]:
        """Goes on with the file, or starts it.

        Args:
            machine: This one.
            settings: See :func:`settings_told`.
            peaks: The machine as a new file describes it: with its best rates, measured.
            adds_elsewhere: Only rows of other machines are added, for which it does not matter how
                this one was measured.

        Raises:
            ResultFileError: It is no result, or one of another machine or other settings.
            MachineError: It cannot be written.
        """
        if self.path.exists() and self.path.stat().st_size and not self.fresh:
            file, stored = ResultFile.resume(self.path)
            if not adds_elsewhere:
                self._check(stored.header, machine, settings)
            return file, stored
        started = datetime.now(UTC).isoformat(timespec="seconds")
        header = Header(peaks(), settings, started)
        return ResultFile.create(self.path, header), StoredResult(header=header)

    def _check(self, header: Header, machine: MachineDescription, settings: dict[str, str]) -> None:
        known = header.machine
        for old, new in (
            ({"machine": known.fingerprint}, {"machine": machine.fingerprint}),
            (known.software, machine.software),
            (header.settings, settings),
        ):
            for name in sorted({*old, *new}):
                before, now = old.get(name, "nothing"), new.get(name, "nothing")
                if before != now:
                    raise ResultFileError(
                        f"{self.path} was measured with {name} {before}, now it is {now}: give "
                        "--fresh to measure it anew, or another -o"
                    )


def energy_of_rows(
    energy: EnergyOptions, progress: Progress, tell: Callable[[str], None]
) -> RowEnergy | None:
    """What says how much energy a row took; ``None``: nothing does.

    Args:
        energy: What the user asked for.
        progress: Told that the machine idles.
        tell: Told why there is none.

    Raises:
        UserInputError: There is no such source, or a meter's file cannot be used.
    """
    source = power_source(energy.energy)
    if not isinstance(source, NoEnergy):
        progress.begin(f"idle power by {source.name}", 1)
        idle = measure_idle(source)
        if not isinstance(idle, NoEnergy):
            return counted(source, idle)
        source = idle
    if energy.modelled_energy is not None:
        return by_power(round(energy.modelled_energy * 1000))
    if energy.energy != "off":
        tell(f"no energy: {source.reason}")
    return None
