"""The verb ``plan``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Option

from counterpoint.cli.options import (
    Json,
    MachineOptions,
    NetworkOptions,
    Precision,
    StoreOptions,
)
from counterpoint.cli.output import check_writable, show


def plan(
    *,
    network: NetworkOptions,
    machine: MachineOptions,
    store: StoreOptions,
    precision: Precision = None,
    output: Annotated[
        Path | None, Option("-o", "--output", metavar="FILE", help="Write the plan here.")
    ] = None,
    json: Json = False,
) -> None:
    """Finds the best plan by the costs, unverified.

    Quick, but only a prediction; use tune for a plan that was measured and verified.

    Example:
      counterpoint plan model.onnx -o model.plan.json
    """
    from counterpoint.cli.costing import cost_table
    from counterpoint.planning.latency import plan_latency
    from counterpoint.report.plans import plan_document, plan_tables
    from counterpoint.schedule.plan_file import save_plan
    from counterpoint.tuning.planned import plan_of

    if output is not None:
        check_writable(output)
    loaded, here = network.load(), machine.machine()
    costs = cost_table(loaded, here, store, precision)
    planned = plan_latency(loaded, costs)
    made = plan_of(loaded, here.platform, here.engines, costs, planned)
    if output is not None:
        save_plan(made, output)
    written = None if output is None else str(output)
    show(
        json,
        lambda: plan_document(made, planned, written),
        lambda: [
            *plan_tables(loaded, made, planned),
            *([f"written to {written}"] if written else []),
        ],
    )
