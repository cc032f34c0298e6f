"""The options that verbs share, and what they stand for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from counterpoint.errors import UserInputError

if TYPE_CHECKING:  # heavy: loaded by the verb that needs it
    from counterpoint.api import Machine
    from counterpoint.costs.store import Store
    from counterpoint.network.graph import Network
    from counterpoint.planning.restriction import Fixed
    from counterpoint.platform.file_content import PlatformFile
    from counterpoint.schedule.plan import Plan

ZOO = "zoo:"
RECORDED = "recorded:"

ANY_CLOCK = "any"

_MAX_MAPPING_BYTES = 2**18

Json = Annotated[bool, Option("--json", help="Print one JSON document instead of tables.")]
Precision = Annotated[
    str | None,
    Option(
        "--precision",
        metavar="any|LIST",
        help="What units may compute in, e.g. fp32,bf16. Default: the network's own precision.",
    ),
]
CpuGroups = Annotated[
    str | None,
    Option(
        "--cpu-groups",
        metavar="LIST",
        help="Also cut the CPU into devices: numbers of cores (1,1) or kinds (big,little; P,E).",
    ),
]
LayerLimit = Annotated[
    int | None, Option("--layers", min=0, metavar="N", help="Show at most N layers.")
]
TraceFile = Annotated[
    Path | None,
    Option("--trace", metavar="FILE", help="Write who ran what when, for ui.perfetto.dev."),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkOptions:
    """Which network, at which size."""

    model: Annotated[
        str | None,
        Argument(
            metavar="MODEL",
            help="An .onnx, .prototxt or .cfg file, zoo:NAME (zoo:squeezenet_v1.1), or, with "
            "-p, recorded:NAME.",
        ),
    ] = None
    model_option: Annotated[
        str | None, Option("-m", "--model", metavar="MODEL", help="The same as an option.")
    ] = None
    weights: Annotated[
        Path | None,
        Option(
            "--weights",
            metavar="FILE",
            help="Trained weights of a .prototxt (.caffemodel) or a .cfg (.weights).",
        ),
    ] = None
    batch: Annotated[
        int | None, Option("-b", "--batch", min=1, metavar="N", help="Images in a frame.")
    ] = None
    shape: Annotated[
        list[str] | None,
        Option("--shape", metavar="NAME=1x3x224x224", help="Shape of an input; repeatable."),
    ] = None
    seed: Annotated[
        int | None,
        Option(
            "--seed",
            min=0,
            metavar="N",
            help="Of random weights: the zoo's (default 0), or of a .prototxt or .cfg without any.",
        ),
    ] = None
    keep_batchnorm: Annotated[
        bool, Option("--keep-batchnorm", help="Not .onnx: leave BatchNorm unfolded.")
    ] = False

    @property
    def name(self) -> str:
        """The model as the user wrote it.

        Raises:
            UserInputError: None is given, or two.
        """
        if self.model is not None and self.model_option is not None:
            raise UserInputError(f"two models: {self.model} and {self.model_option}; give one")
        chosen = self.model if self.model is not None else self.model_option
        if not chosen:
            raise UserInputError("no model: give a file, or zoo:squeezenet_v1.1 and the like")
        return chosen

    @property
    def path(self) -> Path | None:
        """The model's file; ``None`` for one of the zoo or of a platform's records."""
        return None if self.name.startswith((ZOO, RECORDED)) else Path(self.name)

    @property
    def stem(self) -> str:
        """What files that belong to the model are called."""
        if self.path is not None:
            return self.path.stem
        return self.name.removeprefix(ZOO).removeprefix(RECORDED)

    def load(self, platform: PlatformFile | None = None) -> Network:
        """The network.

        Args:
            platform: Whose records ``recorded:NAME`` is looked up in.

        Raises:
            CounterpointError: It cannot be loaded, or an option does not fit it.
        """
        from counterpoint.network.loading import load

        shapes = parse_shapes(self.shape or ())
        if self.name.startswith(RECORDED):
            return self._recorded(platform)
        if self.path is None and shapes:
            raise UserInputError("--shape is for model files: the zoo's networks have one size")
        return load(
            self.name,
            weights=self.weights,
            batch=self.batch,
            input_shapes=shapes or None,
            seed=self.seed,
            keep_batchnorm=self.keep_batchnorm,
        )

    def load_for(self, plan: Plan, platform: PlatformFile | None = None) -> Network:
        """The network at the plan's batch, split as the plan has it.

        Raises:
            CounterpointError: As :meth:`load`, or it cannot be run as planned.
        """
        from counterpoint.api import as_planned

        return as_planned(self.load(platform), plan)

    def _recorded(self, platform: PlatformFile | None) -> Network:
        from counterpoint.costs.stage_network import stage_network

        if platform is None:
            raise UserInputError(f"{self.name} is a platform's record: name the platform by -p")
        given = {
            "--weights": self.weights,
            "--batch": self.batch,
            "--shape": self.shape,
            "--seed": self.seed,
            "--keep-batchnorm": self.keep_batchnorm or None,
        }
        for option, value in given.items():
            if value is not None:
                raise UserInputError(f"{option} is for models: {self.name} is a table of stages")
        return stage_network(platform, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformOptions:
    """Which machine, if it is not this one."""

    platform: Annotated[
        str | None,
        Option(
            "-p",
            "--platform",
            metavar="NAME|FILE",
            help="A machine that is not here: one of 'counterpoint platforms', or a .toml file.",
        ),
    ] = None
    clock: Annotated[
        str | None,
        Option(
            "--clock",
            metavar="DEVICE=STEP,...|any",
            help="With -p: clock steps. 'any' lets the planner choose, as it does for energy; "
            "else the highest.",
        ),
    ] = None

    def load(self) -> PlatformFile | None:
        """The platform; ``None``: this machine.

        Raises:
            UserInputError: Clocks without a platform.
            PlatformFileError: There is no such platform, or its file cannot be used.
        """
        from counterpoint.platform.platform_file import load_platform

        if self.platform is None:
            if self.clock is not None:
                raise UserInputError("--clock is for platforms: give one by -p")
            return None
        return load_platform(self.platform)

    @property
    def clocks(self) -> dict[str, int]:
        """The steps that are given, by device.

        Raises:
            UserInputError: They have another form.
        """
        steps: dict[str, int] = {}
        for item in (self.clock or "").split(","):
            name, _, step = item.strip().partition("=")
            if item.strip() in ("", ANY_CLOCK):
                continue
            if name in steps or not re.fullmatch(r"[0-9]{1,3}", step):
                raise UserInputError(f"--clock {self.clock!r}: write it as CPU.0=3,GPU=4 or any")
            steps[name] = int(step)
        return steps

    @property
    def any_clock(self) -> bool:
        """The user lets the planner choose the steps that are not given."""
        return ANY_CLOCK in [item.strip() for item in (self.clock or "").split(",")]


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineOptions:
    """Which part of this machine."""

    device: Annotated[
        list[str] | None,
        Option(
            "-d",
            "--device",
            metavar="NAME",
            help="Only units whose name contains this: CPU, openvino, openvino:CPU@bf16; "
            "repeatable, or with commas.",
        ),
    ] = None
    cpu_groups: CpuGroups = None

    def machine(self, plan: Plan | None = None) -> Machine:
        """Platform and engines.

        Args:
            plan: The CPU is cut as this plan needs it.

        Raises:
            UserInputError: Nothing is left, the groups do not fit, or plan and user both cut.
        """
        from counterpoint.api import devices

        if plan is not None and self.cpu_groups is not None:
            raise UserInputError("--cpu-groups excludes --plan: a plan has its own groups")
        return devices(
            cpu_groups=self.cpu_groups,
            cpu_parts=None if plan is None else plan.cpu_parts,
            only=split_names(self.device or ()) or None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreOptions:
    """Where measurements are kept."""

    store: Annotated[
        Path | None,
        Option(
            "--store",
            metavar="FILE",
            help="Measurements are kept here. Default: $COUNTERPOINT_STORE, or the user's cache.",
        ),
    ] = None
    no_store: Annotated[
        bool, Option("--no-store", help="Measure everything again and keep nothing.")
    ] = False

    def open(self) -> Store:
        """The store; close it after use.

        Raises:
            UserInputError: Both options are given.
            StoreError: The file cannot be used.
        """
        from counterpoint.costs.store import Store

        if self.no_store and self.store is not None:
            raise UserInputError("--store and --no-store exclude each other")
        return Store.in_memory() if self.no_store else Store.open(self.store)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """Which plan."""

    plan: Annotated[
        Path | None,
        Option("--plan", metavar="FILE", help="A plan made by: counterpoint tune MODEL -o FILE"),
    ] = None

    def load(self) -> Plan:
        """The plan.

        Raises:
            UserInputError: None is given.
            PlanFileError: Its file cannot be used.
        """
        from counterpoint.schedule.plan_file import load_plan

        if self.plan is None:
            raise UserInputError(
                "no plan: make one with 'counterpoint tune MODEL -o plan.json', then give "
                "--plan plan.json"
            )
        return load_plan(self.plan)


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingOptions:
    """What the user decides of a plan."""

    mapping: Annotated[
        list[str] | None,
        Option(
            "--map",
            metavar="RULES|@FILE",
            help="Where layers run: conv1..pool2=GPU.0,rest=CPU; @FILE has a rule a line; "
            "repeatable.",
        ),
    ] = None

    def fixed(self, network: Network, units: Sequence[str]) -> Fixed | None:
        """For each layer that the user names the units that it may be given.

        Args:
            network: Whose layers are meant.
            units: Names of the units that may be used.

        Returns:
            Names of units by layer index; ``None`` without the option.

        Raises:
            UserInputError: It does not fit, or a file cannot be read.
        """
        from counterpoint.tuning.mapping import parse_mapping

        if self.mapping is None:
            return None
        return parse_mapping("\n".join(map(_rules, self.mapping)), network, units)


@dataclass(frozen=True, slots=True, kw_only=True)
class SharingOptions:
    """How frames share the machine."""

    method: Annotated[
        str,
        Option(
            "--method",
            metavar="METHOD",
            help="auto, single, switch, branch, split; for throughput auto, single, switch, "
            "replicate, pipeline.",
        ),
    ] = "auto"
    max_latency_ms: Annotated[
        float | None,
        Option("--max-latency-ms", min=0.001, metavar="MS", help="No frame may take longer."),
    ] = None

    @property
    def max_latency_ns(self) -> int | None:
        """The limit in nanoseconds."""
        return None if self.max_latency_ms is None else round(self.max_latency_ms * 1e6)


def parse_batches(text: str | None) -> tuple[int, ...] | None:
    """``1,4,16`` as numbers, ascending; ``None`` for ``None``.

    Raises:
        UserInputError: They are not numbers from 1.
    """
    if text is None:
        return None
    if not re.fullmatch(r"[1-9][0-9]{0,4}(,[1-9][0-9]{0,4})*", text):
        raise UserInputError(f"batches {text[:80]!r}: write them as 1,4,16")
    return tuple(sorted({int(item) for item in text.split(",")}))


def _rules(text: str) -> str:
    """The text, or that of the file behind an ``@``."""
    if not text.startswith("@"):
        return text
    from counterpoint.frames.files import printable, read_whole

    path = Path(text[1:])
    try:
        return read_whole(path, max_bytes=_MAX_MAPPING_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserInputError(f"{printable(path)}: a mapping must be UTF-8 text") from error


def parse_shapes(texts: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """``data=1x3x224x224`` as sizes by input name.

    Raises:
        UserInputError: It has another form.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for text in texts:
        name, _, sizes = text.rpartition("=")
        if not name or not re.fullmatch(r"[0-9]{1,9}([x,][0-9]{1,9})*", sizes):
            raise UserInputError(f"shape {text[:80]!r}: write it as input=1x3x224x224")
        shapes[name] = tuple(int(size) for size in re.split("[x,]", sizes))
    return shapes


def split_names(texts: Sequence[str]) -> list[str]:
    """Items between commas, those inside brackets excepted: they belong to a unit's settings."""
    items = [item.strip() for text in texts for item in re.split(r",(?![^\[]*\])", text)]
    return [item for item in items if item]
