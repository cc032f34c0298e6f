"""The verb ``convert``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Option

from counterpoint.cli.options import Json, NetworkOptions
from counterpoint.cli.output import check_writable, show
from counterpoint.errors import UserInputError


def convert(
    *,
    network: NetworkOptions,
    output: Annotated[
        Path, Option("-o", "--output", metavar="FILE.onnx", help="The file to write.")
    ],
    json: Json = False,
) -> None:
    """Writes a network as one checked ONNX file.

    Input shapes are fixed, and the weights are inside; above 2 GB they are in a file beside it.

    Example:
      counterpoint convert deploy.prototxt --weights net.caffemodel -o net.onnx
    """
    from counterpoint.network.onnx_export import write_model
    from counterpoint.report.conversion import conversion_document, conversion_tables

    if output.suffix.lower() != ".onnx":
        raise UserInputError(f"cannot write {output}: name the output NAME.onnx")
    check_writable(output)
    for given in (network.path, network.weights):
        if given is not None and output.exists() and given.exists() and output.samefile(given):
            raise UserInputError(f"{output} is what is converted; name another output")
    loaded = network.load()
    written = write_model(loaded, output)
    show(
        json,
        lambda: conversion_document(loaded, written),
        lambda: conversion_tables(loaded, written),
    )
