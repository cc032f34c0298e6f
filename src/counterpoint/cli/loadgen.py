"""The verb ``loadgen``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Exit, Option

from counterpoint.cli.options import CpuGroups, Json, MachineOptions, NetworkOptions, PlanOptions
from counterpoint.cli.output import show
from counterpoint.cli.run import Images, Preprocess
from counterpoint.errors import UserInputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from counterpoint.api import Machine
    from counterpoint.bench.loadgen.samples import Samples
    from counterpoint.engines.protocol import Tensor
    from counterpoint.network.graph import Network
    from counterpoint.schedule.plan import Plan

NOT_VALID = 1
"""Exit status of a test that ran and that LoadGen does not count."""

_SEEDED_IMAGES = 16


class ScenarioName(StrEnum):
    """MLPerf's."""

    SINGLE_STREAM = "SingleStream"
    MULTI_STREAM = "MultiStream"
    SERVER = "Server"
    OFFLINE = "Offline"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageOptions:
    """What is sent."""

    images: Images = None
    preprocess: Preprocess = None
    labels: Annotated[
        Path | None,
        Option(
            "--labels",
            metavar="FILE",
            help="With --accuracy: a line for each image, 'cat.jpg 281', for top-1.",
        ),
    ] = None

    def check(self, accuracy: bool) -> None:
        """Whether the options fit each other.

        Raises:
            UserInputError: They do not.
        """
        if self.labels is not None and not (accuracy and self.images):
            raise UserInputError("--labels is for --accuracy with --images")
        if accuracy and not self.images:
            raise UserInputError(
                "--accuracy needs photographs: give --images DIR --preprocess PRESET"
            )
        if self.preprocess is not None and not self.images:
            raise UserInputError("--preprocess is for --images")

    def samples(
        self, network: Network, planned: Network, model: Path | None
    ) -> tuple[Samples, Sequence[int] | None]:
        """The images, each as a frame of one, and their classes where they are given.

        Args:
            network: As given.
            planned: As the plan has it.
            model: Its file.

        Raises:
            FrameError: No image, no recipe, or labels that do not fit.
        """
        from counterpoint.bench.loadgen.samples import Samples
        from counterpoint.cli.frame_source import batch_of, chosen_recipe, image_frames
        from counterpoint.frames.ground_truth import labels_of, read_ground_truth
        from counterpoint.frames.images import find_images
        from counterpoint.frames.labels import read_labels
        from counterpoint.network.batching import with_batch
        from counterpoint.tuning.frames import seeded_frame

        batch = batch_of(planned)
        if not self.images:
            single = [replace(spec, shape=(1, *(spec.shape or ())[1:])) for spec in planned.inputs]
            return Samples(_SEEDED_IMAGES, lambda index: seeded_frame(single, index), batch), None
        recipe = chosen_recipe(self.preprocess, model)
        one = network if batch_of(network) == 1 else with_batch(network, 1)
        files = find_images(self.images)
        image_frames(one, files[:1], recipe, model)  # tells now what is wrong with all of them
        truth = None
        if self.labels is not None:
            named = recipe.labels if recipe is not None else None
            known = read_ground_truth(self.labels, read_labels(named) if named is not None else ())
            truth = labels_of(files, known, self.labels)

        def load(index: int) -> Mapping[str, Tensor]:
            return next(image_frames(one, [files[index]], recipe, model)).inputs

        return Samples(len(files), load, batch), truth


def loadgen(
    *,
    network: NetworkOptions,
    plan: PlanOptions,
    scenario: Annotated[
        ScenarioName, Option("--scenario", case_sensitive=False, help="MLPerf's load scenario.")
    ],
    output: Annotated[
        Path, Option("-o", "--output", metavar="DIR", help="Folder for LoadGen's own logs.")
    ],
    accuracy: Annotated[
        bool, Option("--accuracy", help="Accuracy mode: each image once, answers logged.")
    ] = False,
    unit: Annotated[
        str | None,
        Option("--unit", metavar="UNIT", help="Without a plan: everything on this unit."),
    ] = None,
    of: ImageOptions,
    min_duration_s: Annotated[
        float | None,
        Option("--min-duration", min=0.1, metavar="S", help="Seconds. Default: MLPerf's 600."),
    ] = None,
    min_queries: Annotated[
        int | None,
        Option(
            "--min-queries",
            min=1,
            metavar="N",
            help="Default: MLPerf's 100; MultiStream 662, Offline 24576 images.",
        ),
    ] = None,
    target_latency_ms: Annotated[
        float | None,
        Option(
            "--target-latency-ms",
            min=0.001,
            metavar="MS",
            help="Server: by then 99 % must be done. Default: MLPerf's 15 for ResNet-50.",
        ),
    ] = None,
    qps: Annotated[
        float | None,
        Option(
            "--qps",
            min=0.001,
            metavar="N",
            help="Server: images a second. Default: the most that is valid is searched for.",
        ),
    ] = None,
    cpu_groups: CpuGroups = None,
    allow_other_machine: Annotated[
        bool, Option("--allow-other-machine", help="Accept a plan that was made elsewhere.")
    ] = False,
    json: Json = False,
) -> None:
    """Tests a plan with MLPerf's load generator, by its scenarios and its judgement.

    Without --images the images are seeded random ones. What is shortened against MLPerf's own
    settings is said. The exit status is 1 where LoadGen does not count the test as valid.

    Examples:
      counterpoint loadgen model.onnx --plan model.plan.json --scenario SingleStream -o logs
      counterpoint loadgen model.onnx --plan p.json --scenario Server --min-duration 60 -o logs
      counterpoint loadgen model.onnx --plan p.json --scenario Offline --accuracy \
--images photos --preprocess imagenet --labels truth.txt -o logs
    """
    from counterpoint.api import Session, as_planned
    from counterpoint.bench.loadgen.running import run_loadgen
    from counterpoint.bench.loadgen.settings import LoadGenSettings, Scenario
    from counterpoint.bench.loadgen.settings import loadgen as installed
    from counterpoint.bench.loadgen.sut import answer_for
    from counterpoint.report.loadgen import loadgen_document, loadgen_tables

    if scenario is not ScenarioName.SERVER and (qps is not None or target_latency_ms is not None):
        raise UserInputError("--qps and --target-latency-ms are for --scenario Server")
    of.check(accuracy)
    if output.exists() and not output.is_dir():
        raise UserInputError(f"cannot write LoadGen's logs to {output}: it is not a folder")
    installed()
    subject, here, chosen = _what(network, plan, unit, cpu_groups)
    planned = as_planned(subject, chosen)
    samples, truth = of.samples(subject, planned, network.path)
    settings = LoadGenSettings(
        scenario=Scenario(scenario.value),
        accuracy=accuracy,
        min_duration_ms=None if min_duration_s is None else round(1000 * min_duration_s),
        min_queries=min_queries,
        target_latency_ns=None if target_latency_ms is None else round(1e6 * target_latency_ms),
        target_qps=qps,
    )
    with Session(subject, chosen, machine=here, allow_other_machine=allow_other_machine) as session:
        result = run_loadgen(
            session, samples, settings, output, answer=answer_for(planned), labels=truth
        )
    show(
        json,
        lambda: loadgen_document(subject.name, result),
        lambda: loadgen_tables(subject.name, result),
    )
    if result.performance is not None and not result.performance.valid:
        raise Exit(NOT_VALID)


def _what(
    network: NetworkOptions, plan: PlanOptions, unit: str | None, cpu_groups: str | None
) -> tuple[Network, Machine, Plan]:
    """Network as given, machine and plan."""
    from counterpoint.api import devices
    from counterpoint.tuning.planned import plan_on_unit

    if (unit is None) == (plan.plan is None):
        raise UserInputError(
            "give either --plan plan.json, made by 'counterpoint tune', or --unit UNIT"
        )
    if unit is None:
        loaded = plan.load()
        return network.load(), MachineOptions(cpu_groups=cpu_groups).machine(loaded), loaded
    subject, here = network.load(), devices(cpu_groups=cpu_groups)
    return subject, here, plan_on_unit(subject, here.platform, here.engines, unit)
