"""The verb ``simulate``."""

from __future__ import annotations

from typing import Annotated

from typer import Option

from counterpoint.cli.options import Json, NetworkOptions, PlanOptions, PlatformOptions, TraceFile
from counterpoint.cli.output import check_writable, show


def simulate(
    *,
    network: NetworkOptions,
    plan: PlanOptions,
    on: PlatformOptions,
    frames: Annotated[
        int,
        Option(
            "-niter", "--frames", min=1, max=10_000_000, metavar="N", help="How many frames to run."
        ),
    ] = 100,
    trace: TraceFile = None,
    json: Json = False,
) -> None:
    """Runs a plan in virtual time.

    By the times that it predicts; needs neither its machine nor its engines. With -p, the plan must
    be one for that platform.

    Examples:
      counterpoint simulate model.onnx --plan model.plan.json --frames 1000
      counterpoint simulate recorded:alexnet -p khadas_vim3 --plan alexnet.plan.json
    """
    from counterpoint.errors import PlanFileError
    from counterpoint.report.simulation import simulation_document, simulation_tables
    from counterpoint.schedule.perfetto import write_perfetto
    from counterpoint.schedule.plan import check_plan
    from counterpoint.schedule.plan_platform import platform_of
    from counterpoint.schedule.predicted import predicted_graph
    from counterpoint.schedule.simulate import simulate as run_in_virtual_time

    if trace is not None:
        check_writable(trace)
    loaded = plan.load()
    elsewhere = on.load()
    platform = platform_of(loaded) if elsewhere is None else elsewhere.platform
    subject = network.load_for(loaded, elsewhere)
    check_plan(loaded, subject, platform)
    predicted = predicted_graph(subject, loaded, platform)
    if predicted is None:
        raise PlanFileError(
            f"{plan.plan} does not tell how long its segments take; make it again with tune"
        )
    result = run_in_virtual_time(*predicted, frames, record=trace is not None)
    if trace is not None and result.trace is not None:
        write_perfetto(trace, [result.trace])
    show(
        json,
        lambda: simulation_document(loaded, result),
        lambda: simulation_tables(loaded, result),
    )
