"""One way in for every network: a file, or a builder of the zoo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from counterpoint.errors import ModelFileError
from counterpoint.network.graph import Network

ZOO_PREFIX = "zoo:"


def load(
    model: str | Path,
    *,
    batch: int | None = None,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    seed: int = 0,
    keep_batchnorm: bool = False,
) -> Network:
    """Reads or builds a network.

    Args:
        model: Path of an ``.onnx`` file, or ``zoo:NAME`` for a builder with seeded weights.
        batch: Images in a frame; ``None`` keeps what the file says (1 where it leaves it open).
        input_shapes: Whole shapes by input name, for files that leave more open than the batch.
        seed: Of the zoo's weights.
        keep_batchnorm: Zoo only: leave BatchNorm unfolded behind its convolution.

    Raises:
        ModelFileError: The file cannot be used, or there is no such builder.
        MachineError: No room for the weights.
    """
    name = str(model)
    if batch is not None and batch < 1:
        raise ModelFileError(f"batch {batch} is below 1")
    if name.startswith(ZOO_PREFIX):
        return _build(name.removeprefix(ZOO_PREFIX), batch or 1, seed, keep_batchnorm)
    from counterpoint.network.onnx_file import read_onnx

    return read_onnx(Path(model), batch=batch, input_shapes=input_shapes)


def _build(name: str, batch: int, seed: int, keep_batchnorm: bool) -> Network:
    from counterpoint.network.onnx_file import network_of_model
    from counterpoint.network.weights import WeightFile
    from counterpoint.network.zoo import build_model

    weights = WeightFile()
    try:
        model = build_model(name, weights, seed=seed, batch=batch, keep_batchnorm=keep_batchnorm)
    except ValueError as error:
        raise ModelFileError(str(error)) from error
    return network_of_model(model, weights, name)
