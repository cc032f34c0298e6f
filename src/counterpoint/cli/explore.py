"""The verb ``explore``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Exit, Option

from counterpoint.cli.exploring import SpaceOptions, parse_design, parse_weights
from counterpoint.cli.options import Json, LayerLimit
from counterpoint.cli.output import check_writable, say, show
from counterpoint.cli.progress import shown_progress
from counterpoint.errors import UserInputError

if TYPE_CHECKING:
    from counterpoint.explore.explanation import Explanation
    from counterpoint.explore.exploration import Exploration
    from counterpoint.explore.findings import Findings
    from counterpoint.network.graph import Network

INTERRUPTED = 130

_SHAPES_ALONE = (".prototxt", ".cfg")
"""Files without weights: shapes are all that an exploration needs, so any will do."""


def explore(
    *,
    models: Annotated[
        list[str] | None, Argument(metavar="NETWORK...", help="Files, or zoo:NAME.")
    ] = None,
    weights: Annotated[
        str | None,
        Option("--weights", metavar="LIST", help="Images of each network in a frame, e.g. 2,1."),
    ] = None,
    options: SpaceOptions,
    method: Annotated[
        str,
        Option(
            "--method",
            metavar="exhaustive|bound",
            help="Try every design, or leave out those that a bound proves to be no better.",
        ),
    ] = "exhaustive",
    design: Annotated[
        str | None,
        Option(
            "--design",
            metavar="KIND:ExV+...",
            help="Explain this design of E elements of V inputs instead of exploring.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        Option(
            "-o",
            "--output",
            metavar="DIR",
            help="Write designs.csv, pareto.svg, best.toml (a platform for plan -p), and the "
            "state to resume from.",
        ),
    ] = None,
    resume: Annotated[
        bool, Option("--resume", help="Go on where an interrupted exploration in DIR ended.")
    ] = False,
    processes: Annotated[
        int | None,
        Option("--processes", min=1, metavar="N", help="Default: one for each processor core."),
    ] = None,
    layers: LayerLimit = None,
    json: Json = False,
) -> None:
    """Explores designs of accelerator cores for networks: which cores, of which size.

    Overlay processors of one or several cores that share a memory, after published ones: see
    docs/dual_core.md for the model. One core, equal ones and unlike ones are in the same space.

    Examples:
      counterpoint explore zoo:mobilenet_v2
      counterpoint explore zoo:mobilenet_v1 zoo:squeezenet_v1.1 --weights 2,1 -o designs
      counterpoint explore zoo:mobilenet_v2 --cores 3 --step 4 --method bound
      counterpoint explore zoo:mobilenet_v2 --design convolution:28x32+depthwise:16x9
    """
    from counterpoint.explore.explanation import explained
    from counterpoint.explore.exploration import Exploration
    from counterpoint.explore.workload import Workload
    from counterpoint.report.exploration import exploration_document, exploration_tables

    if not models:
        raise UserInputError("no network: give a file, or zoo:mobilenet_v2 and the like")
    if resume and output is None:
        raise UserInputError("--resume needs -o DIR: the folder of the interrupted exploration")
    space = options.space()
    if design is not None:
        if output is not None:
            raise UserInputError("--design explains one design and writes nothing: leave out -o")
        wanted = parse_design(design, space)
        workload = Workload(tuple(map(_load, models)), parse_weights(weights, len(models)))
        _tell(explained(workload, wanted, space.reference()), layers, json)
        return
    if output is not None:
        _make_folder(output)
    workload = Workload(tuple(map(_load, models)), parse_weights(weights, len(models)))
    exploration = Exploration.of(workload, space, method)
    findings = _searched(exploration, output, resume=resume, processes=processes)
    best = findings.overall_best()
    told = None if best is None else explained(workload, best.design, space.reference())
    if output is not None:
        _write(findings, output)
    show(
        json,
        lambda: exploration_document(findings, told),
        lambda: exploration_tables(findings, told, layers=layers),
    )


def _load(model: str) -> Network:
    from counterpoint.network.loading import load

    shapes_alone = Path(model).suffix.lower() in _SHAPES_ALONE
    return load(model, seed=0 if shapes_alone else None)


def _tell(explanation: Explanation, layers: int | None, json: bool) -> None:
    from counterpoint.report.document import document
    from counterpoint.report.exploration import explanation_content, explanation_tables

    show(
        json,
        lambda: document("design", explanation_content(explanation)),
        lambda: explanation_tables(explanation, layers=layers),
    )


def _searched(
    exploration: Exploration, folder: Path | None, *, resume: bool, processes: int | None
) -> Findings:
    """The findings; an interrupt tells how to go on."""
    from counterpoint.platform.host_description import read_host

    with shown_progress() as progress:
        try:
            return exploration.run(
                folder=folder,
                resume=resume,
                processes=processes or read_host().usable_processor_count,
                progress=progress,
            )
        except KeyboardInterrupt:
            if folder is None:
                raise
    say(f"interrupted; what is done is kept in {folder}: go on with --resume")
    raise Exit(INTERRUPTED)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserInputError(f"cannot make the folder {folder}: {error.strerror}") from error
    check_writable(folder / "designs.csv")


def _write(findings: Findings, folder: Path) -> None:
    from counterpoint.explore.design_platform import design_platform
    from counterpoint.platform.toml_text import platform_text
    from counterpoint.report.exploration import write_csv
    from counterpoint.report.exploration_plot import exploration_svg
    from counterpoint.schedule.atomic_file import atomic_file

    with atomic_file(folder / "designs.csv") as stream:
        write_csv(findings, stream)
    with atomic_file(folder / "pareto.svg") as stream:
        stream.write(exploration_svg(findings))
    best = findings.overall_best()
    if best is not None:
        with atomic_file(folder / "best.toml") as stream:
            stream.write(platform_text(design_platform("best", best.design)))
