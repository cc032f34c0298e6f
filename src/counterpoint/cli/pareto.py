"""The verb ``pareto``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Option

from counterpoint.cli.options import (
    Json,
    MachineOptions,
    MappingOptions,
    NetworkOptions,
    PlatformOptions,
    Precision,
    StoreOptions,
)
from counterpoint.cli.output import check_writable, show
from counterpoint.errors import UserInputError


def pareto(
    *,
    network: NetworkOptions,
    machine: MachineOptions,
    on: PlatformOptions,
    store: StoreOptions,
    mapping: MappingOptions,
    precision: Precision = None,
    plot: Annotated[
        Path | None, Option("--plot", metavar="FILE.svg", help="Draw it as well.")
    ] = None,
    pick: Annotated[
        int | None,
        Option("--pick", min=0, metavar="N", help="The plan to write, by its number."),
    ] = None,
    output: Annotated[
        Path | None, Option("-o", "--output", metavar="FILE", help="Write the picked plan here.")
    ] = None,
    json: Json = False,
) -> None:
    """Plans of which none is better in latency, throughput and energy at once.

    For platforms that tell energy. Choose one by --pick and write it by -o.

    Examples:
      counterpoint pareto recorded:squeezenet_v1.0 -p rk3399pro --plot front.svg
      counterpoint pareto recorded:squeezenet_v1.0 -p rk3399pro --pick 1 -o frugal.plan.json
    """
    from counterpoint.cli.elsewhere import chosen_elsewhere
    from counterpoint.report.pareto import pareto_document, pareto_tables
    from counterpoint.report.pareto_plot import pareto_svg
    from counterpoint.schedule.atomic_file import atomic_file
    from counterpoint.schedule.plan_file import save_plan
    from counterpoint.tuning.in_flight import frames_in_flight
    from counterpoint.tuning.planned import plan_of
    from counterpoint.tuning.platform_plan import front_for_platform

    for path in (plot, output):
        if path is not None:
            check_writable(path)
    if (pick is None) != (output is None):
        raise UserInputError("--pick N says which plan -o FILE writes: give both or none")
    platform = on.load()
    if platform is None:
        raise UserInputError(
            "energy is not measured on this machine: give a platform that tells it, by -p"
        )
    if on.any_clock:
        raise UserInputError("a front is for one setting of the clocks: --clock CPU.0=3,GPU=4")
    loaded = network.load(platform)
    costs, front = front_for_platform(
        loaded,
        platform,
        clocks=on.clocks,
        units=chosen_elsewhere(platform, machine, store, precision),
        fixed=mapping.fixed(loaded, [unit.name for unit in platform.units]),
    )
    if plot is not None:
        with atomic_file(plot) as stream:
            stream.write(pareto_svg(loaded.name, front))
    if pick is not None and output is not None:
        if pick >= len(front.points):
            raise UserInputError(f"--pick {pick}: the front has plans 0 to {len(front.points) - 1}")
        answer = front.points[pick].as_result()
        picked = plan_of(loaded, platform.platform, {}, costs, answer)
        save_plan(frames_in_flight(loaded, picked, platform.platform), output)
    show(json, lambda: pareto_document(loaded, front), lambda: pareto_tables(loaded, front))
