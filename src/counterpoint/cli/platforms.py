"""The verb ``platforms`` and its own verbs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Context, Exit, Option, Typer

from counterpoint.cli.options import Json, MachineOptions, NetworkOptions, Precision, StoreOptions
from counterpoint.cli.output import check_writable, show
from counterpoint.cli.verb import help_text, verb
from counterpoint.errors import UserInputError

Name = Annotated[str, Argument(metavar="NAME|FILE", help="A shipped platform or a .toml file.")]

platforms = Typer(rich_markup_mode=None)


def _list(context: Context, *, json: Json = False) -> None:
    """Machines that are not here: lists those that are shipped.

    Their names, and files of the same form, are what -p takes.

    Examples:
      counterpoint platforms
      counterpoint platforms show khadas_vim3
      counterpoint platforms validate my-board.toml
      counterpoint platforms record -o here.toml zoo:mobilenet_v2
    """
    from counterpoint.platform.platform_file import load_platform, shipped_platforms
    from counterpoint.report.platforms import platforms_document, platforms_tables

    if context.invoked_subcommand is not None:
        return
    found = [load_platform(name) for name in shipped_platforms()]
    show(json, lambda: platforms_document(found), lambda: platforms_tables(found))
    raise Exit


def _show(*, platform: Name, json: Json = False) -> None:
    """What a platform file says: devices, units, links, records and their sources.

    Example:
      counterpoint platforms show rk3399pro
    """
    from counterpoint.platform.platform_file import load_platform
    from counterpoint.report.platforms import platform_document, platform_tables

    found = load_platform(platform)
    show(json, lambda: platform_document(found), lambda: platform_tables(found))


def _validate(*, platform: Name) -> None:
    """Checks a platform file: one line that names the file and the key if something is wrong.

    The parameters of its cost models too. Whether a record fits a network shows with the network.

    Example:
      counterpoint platforms validate my-board.toml
    """
    from counterpoint.costs.modelled import unit_model
    from counterpoint.platform.platform_file import load_platform

    found = load_platform(platform)
    for unit in found.units:
        if unit.model is not None:
            for network in (None, *unit.parameters_for):
                unit_model(found, unit, network)
    told = (
        f"{found.name}: {len(found.devices)} devices, {len(found.units)} units, "
        f"{len(found.networks)} recorded networks, {len(found.sources)} sources"
    )
    show(False, dict, lambda: [told])


def _record(
    *,
    models: Annotated[
        list[str] | None, Argument(metavar="MODEL...", help="Networks to measure here.")
    ] = None,
    output: Annotated[
        Path | None, Option("-o", "--output", metavar="FILE", help="Write the platform here.")
    ] = None,
    name: Annotated[
        str | None, Option("--name", metavar="NAME", help="Of the platform. Default: FILE's.")
    ] = None,
    machine: MachineOptions,
    store: StoreOptions,
    precision: Precision = None,
) -> None:
    """Measures networks on this machine, for plans that are made elsewhere.

    What was measured before comes from the store.

    Example:
      counterpoint platforms record -o here.toml zoo:mobilenet_v2 model.onnx
    """
    from counterpoint.cli.costing import cost_table
    from counterpoint.platform.toml_text import platform_text
    from counterpoint.schedule.atomic_file import atomic_file
    from counterpoint.tuning.platform_record import platform_record

    if output is None or not models:
        raise UserInputError("a record needs -o FILE and at least one MODEL")
    check_writable(output)
    here = machine.machine()
    profiles = []
    for model in models:
        loaded = NetworkOptions(model=model).load()
        profiles.append((loaded, cost_table(loaded, here, store, precision)))
    made = platform_record(name or output.stem, here.platform, profiles)
    with atomic_file(output) as stream:
        stream.write(platform_text(made))
    show(False, dict, lambda: [f"written to {output}"])


platforms.callback(invoke_without_command=True, help=help_text(_list))(_list)
for command in (_show, _validate, _record):
    platforms.command(command.__name__.removeprefix("_"))(verb(command))
