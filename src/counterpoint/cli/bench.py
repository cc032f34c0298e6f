"""The verb ``bench``."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from counterpoint.cli.options import (
    RECORDED,
    ZOO,
    Json,
    MachineOptions,
    NetworkOptions,
    PlatformOptions,
    Precision,
    StoreOptions,
    parse_batches,
)
from counterpoint.cli.output import check_writable, show
from counterpoint.cli.run import Images, Preprocess
from counterpoint.errors import UserInputError

if TYPE_CHECKING:
    from counterpoint.bench.matrix.settings import BenchSettings
    from counterpoint.platform.file_content import PlatformFile


class MetricName(StrEnum):
    """What can be measured."""

    LATENCY = "latency"
    THROUGHPUT = "throughput"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsOptions:
    """Which networks."""

    models: Annotated[
        list[str] | None,
        Argument(
            metavar="MODEL...",
            help="Files, zoo:NAME, or, with -p, recorded:NAME. Default: the zoo's AlexNet, "
            "MobileNet v1, ResNet-50, VGG-16 and YOLOv2.",
        ),
    ] = None
    weights: Annotated[
        Path | None,
        Option("--weights", metavar="FILE", help="Of a single .prototxt or .cfg."),
    ] = None
    seed: Annotated[
        int | None, Option("--seed", min=0, metavar="N", help="Of weights that are not there.")
    ] = None
    keep_batchnorm: Annotated[
        bool, Option("--keep-batchnorm", help="Not .onnx: leave BatchNorm unfolded.")
    ] = False

    def networks(self, platform: PlatformFile | None) -> list[NetworkOptions]:
        """The networks; those of Xu et al. (NPC 2019) where none is given.

        Args:
            platform: Whose records are benched where none is given.

        Raises:
            UserInputError: An option does not fit them.
        """
        from counterpoint.bench.matrix.settings import PUBLISHED_FIVE

        names = list(dict.fromkeys(self.models or ()))
        if not names and platform is not None:
            names = [f"{RECORDED}{network.name}" for network in platform.networks]
        if not names:
            names = [f"{ZOO}{name}" for name in PUBLISHED_FIVE]
        if self.weights is not None and len(names) != 1:
            raise UserInputError("--weights belongs to one network: give one")
        return [
            NetworkOptions(model=name)
            if name.startswith(RECORDED)
            else NetworkOptions(
                model=name,
                weights=self.weights,
                seed=self.seed,
                keep_batchnorm=self.keep_batchnorm,
            )
            for name in names
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class AmountOptions:
    """How much is measured."""

    quick: Annotated[
        bool,
        Option(
            "--quick",
            help="Under two minutes for the default networks: fewer images, batch 1, no plans, no "
            "int8, no engine that converts networks first, no breakdown.",
        ),
    ] = False
    metric: Annotated[
        list[MetricName] | None,
        Option("--metric", help="latency or throughput; repeatable. Default: both."),
    ] = None
    no_peers: Annotated[
        bool, Option("--no-peers", help="Leave out what the engines do as installed.")
    ] = False
    no_plans: Annotated[bool, Option("--no-plans", help="Tune no plans.")] = False
    no_breakdown: Annotated[
        bool, Option("--no-breakdown", help="Do not look where the time goes.")
    ] = False
    batches: Annotated[
        str | None,
        Option("--batches", metavar="LIST", help="For throughput: images in a frame to try."),
    ] = None
    time_limit: Annotated[
        float | None,
        Option(
            "--time-limit",
            min=1,
            metavar="S",
            help="For everything: what there is no time for is left for the next call. Default: "
            "960, with --quick 110; a network that was begun gets all its rows.",
        ),
    ] = None

    def settings(self, precision: str | None) -> BenchSettings:
        """The amount as a value.

        Raises:
            UserInputError: An option does not fit.
        """
        from counterpoint.api import precisions_of
        from counterpoint.bench.matrix.settings import FULL, QUICK
        from counterpoint.bench.result import Method, Metric

        base = QUICK if self.quick else FULL
        without = {Method.PEER: self.no_peers, Method.PLAN: self.no_plans}
        metrics = base.metrics
        if self.metric:
            metrics = tuple(metric for metric in Metric if metric.value in self.metric)
        return replace(
            base,
            metrics=metrics,
            methods=tuple(method for method in base.methods if not without.get(method)),
            precisions=precisions_of(precision) or base.precisions,
            batches=parse_batches(self.batches) or base.batches,
            explain=base.explain and not self.no_breakdown,
            time_limit_s=self.time_limit or base.time_limit_s,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyOptions:
    """What counts or models energy."""

    energy: Annotated[
        str,
        Option(
            "--energy",
            metavar="auto|zeus|hwmon|FILE.csv|off",
            help="What counts energy: RAPL, NVML and the like, sensors, or a meter's file.",
        ),
    ] = "auto"
    modelled_energy: Annotated[
        float | None,
        Option(
            "--modelled-energy",
            min=0.001,
            metavar="WATTS",
            help="Where nothing counts it: the power above idle while a network runs.",
        ),
    ] = None


def bench(
    *,
    models: ModelsOptions,
    machine: MachineOptions,
    on: PlatformOptions,
    store: StoreOptions,
    amount: AmountOptions,
    precision: Precision = None,
    images: Images = None,
    preprocess: Preprocess = None,
    energy: EnergyOptions,
    output: Annotated[
        Path, Option("-o", "--output", metavar="FILE", help="The result, as JSON lines.")
    ] = Path("bench.jsonl"),
    fresh: Annotated[
        bool, Option("--fresh", help="Start anew where FILE has a result already.")
    ] = False,
    html: Annotated[
        Path | None, Option("--html", metavar="FILE", help="Draw the report here as well.")
    ] = None,
    json: Json = False,
) -> None:
    """Measures networks on every unit, by plans, and as the engines do it by themselves.

    Networks x units x precisions x methods, latency and throughput, all contenders in turn; the
    machine's noise is measured with them. Every precision that the machine has, unless --precision
    says otherwise; layers in int8 are quantised for speed alone, nothing is said of accuracy.

    What is measured goes to FILE at once. Interrupted, or called again with other networks, it
    goes on with the same FILE and measures nothing twice. With -p, adds rows of a machine that is
    not here, in virtual time.

    Examples:
      counterpoint bench
      counterpoint bench model.onnx --images photos --preprocess imagenet -o model.jsonl
      counterpoint bench recorded:alexnet -p khadas_vim3 -o model.jsonl
      counterpoint bench --quick --html report.html
    """
    from counterpoint.bench.insights.computed import insights
    from counterpoint.bench.matrix.matrix import Matrix
    from counterpoint.cli import benching
    from counterpoint.cli.progress import shown_progress
    from counterpoint.measure.time_limit import TimeLimit
    from counterpoint.report.bench import BenchReport, bench_document, bench_tables

    for path in (output, html):
        if path is not None:
            check_writable(path)
    settings = amount.settings(precision)
    limit = TimeLimit(settings.time_limit_s)
    platform = on.load()
    networks = models.networks(platform)
    subjects, modelled, site = [], [], None
    notes: list[str] = []
    with ExitStack() as stack:
        progress = stack.enter_context(shown_progress())
        if platform is None:
            subjects = benching.subjects_here(networks, images or (), preprocess)
            site = benching.this_site(machine, stack.enter_context(store.open()), settings)
            for device in site.left_out_devices(settings.precisions):
                notes.append(
                    f"{device} is software on the CPU and left out; --device {device} measures it"
                )
        else:
            if images or preprocess is not None:
                raise UserInputError("--images is for this machine: virtual time needs none")
            modelled = benching.modelled_subjects(
                networks, platform, on=on, machine=machine, store=store, precision=precision
            )
        told = benching.settings_told(
            settings,
            devices=", ".join(machine.device or ()),
            groups=machine.cpu_groups,
            seed=models.seed,
            batchnorm="kept" if models.keep_batchnorm else "",
            images=", ".join(map(str, images or ())),
            preprocess=preprocess,
        )
        counting = benching.energy_of_rows(energy, progress, notes.append) if subjects else None
        here = benching.this_machine(settings)
        file, stored = benching.Target(path=output, fresh=fresh).open(
            here,
            told,
            lambda: benching.with_peaks(here, site, settings, progress),
            adds_elsewhere=site is None,
        )
        if stored.torn:
            notes.append("a line that was torn off in the file was left out and measured again")
        matrix = Matrix(
            settings=settings,
            machine=stored.header.machine,
            file=file,
            stored=stored,
            limit=limit,
            progress=progress,
            tell=notes.append,
            energy=counting,
        )
        left = matrix.run(subjects, site, modelled)
    if left:
        stages = ", ".join(f"{stage.network} {stage.name}" for stage in left)
        notes.append(f"no time was left for {stages}: the same call again measures them")
    result = stored.result()
    if html is not None:
        from counterpoint.report.html import write_report

        write_report(result, html)
        notes.append(f"drawn in {html}")
    else:
        notes.append(f"counterpoint report {output} draws it")
    report = BenchReport(
        result=result, insights=insights(result), written=str(output), notes=tuple(notes)
    )
    show(json, lambda: bench_document(report), lambda: bench_tables(report))
