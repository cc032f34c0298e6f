"""The verb ``explain``."""

from __future__ import annotations

from counterpoint.cli.options import (
    Json,
    MachineOptions,
    NetworkOptions,
    PlanOptions,
    PlatformOptions,
    Precision,
    StoreOptions,
)
from counterpoint.cli.output import show


def explain(
    *,
    network: NetworkOptions,
    plan: PlanOptions,
    machine: MachineOptions,
    on: PlatformOptions,
    store: StoreOptions,
    precision: Precision = None,
    json: Json = False,
) -> None:
    """Why a plan is as it is.

    What each layer costs where it runs, and what it would elsewhere. Costs come from the store;
    what is missing there is measured. With -p, they are the platform's. Each refusal of a unit is
    told, and what the network would gain without it.

    Examples:
      counterpoint explain model.onnx --plan model.plan.json
      counterpoint explain recorded:alexnet -p khadas_vim3 --plan alexnet.plan.json
    """
    from counterpoint.cli.costing import cost_table
    from counterpoint.cli.elsewhere import chosen_elsewhere, costs_of_plan, refused_elsewhere
    from counterpoint.costs.lifting import lifts
    from counterpoint.report.explanation import (
        explain as price,
    )
    from counterpoint.report.explanation import (
        explanation_document,
        explanation_tables,
    )
    from counterpoint.schedule.plan import check_plan

    loaded = plan.load()
    elsewhere = on.load()
    subject = network.load_for(loaded, elsewhere)
    if elsewhere is not None:
        units = chosen_elsewhere(elsewhere, machine, store, precision)
        costs = costs_of_plan(elsewhere, subject, loaded, units)
        refused = refused_elsewhere(elsewhere, subject, costs)
    else:
        here = machine.machine(loaded)
        check_plan(loaded, subject, here.platform)
        costs = cost_table(subject, here, store, precision, also=loaded.units)
        refused = lifts(subject, costs)
    explained = price(subject, costs, loaded, refused)
    show(
        json,
        lambda: explanation_document(subject, explained),
        lambda: explanation_tables(subject, explained),
    )
