"""One way in for every network: a file of any format, or a builder of the zoo."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from counterpoint.errors import ModelFileError
from counterpoint.network.graph import Network

ZOO_PREFIX = "zoo:"

CAFFE = ".prototxt"
DARKNET = ".cfg"
ARCHITECTURE_OF: Mapping[str, str] = {".caffemodel": CAFFE, ".weights": DARKNET}
"""Suffixes of files that hold weights and nothing else, and of what they belong to."""


def load(
    model: str | Path,
    *,
    weights: str | Path | None = None,
    batch: int | None = None,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    seed: int | None = None,
    keep_batchnorm: bool = False,
) -> Network:
    """Reads or builds a network.

    Args:
        model: Path of a Caffe ``.prototxt``, a Darknet ``.cfg`` or an ONNX file (any other
            suffix), or ``zoo:NAME`` for a builder with seeded weights.
        weights: The ``.caffemodel`` or ``.weights`` file of a prototxt or cfg.
        batch: Images in a frame; ``None`` keeps what the file says (1 where it leaves it open).
        input_shapes: Whole shapes by input name, for files that leave more open than the batch.
        seed: Of weights that are not there. ``None`` takes 0 for the zoo, and refuses a prototxt
            or cfg without weights.
        keep_batchnorm: Leave BatchNorm unfolded behind its convolution.

    Raises:
        ModelFileError: The file cannot be used, an option does not fit its format, or there is no
            such builder.
        MachineError: No room for the weights.
    """
    name, path = str(model), Path(model)
    if batch is not None and batch < 1:
        raise ModelFileError(f"batch {batch} is below 1")
    suffix = "" if name.startswith(ZOO_PREFIX) else path.suffix.lower()
    if suffix in ARCHITECTURE_OF:
        raise ModelFileError(
            f"{name}: these are weights alone; name the {ARCHITECTURE_OF[suffix]} file, and give "
            f"this one by --weights {name}"
        )
    if suffix in (CAFFE, DARKNET):
        if weights is not None and seed is not None:
            raise ModelFileError(f"{name}: --weights and --seed exclude each other")
        return _reader(suffix)(
            path,
            None if weights is None else Path(weights),
            batch=batch,
            input_shapes=input_shapes,
            seed=seed,
            keep_batchnorm=keep_batchnorm,
        )
    if weights is not None:
        raise ModelFileError(
            f"{name}: --weights is for {CAFFE} and {DARKNET} files; this has weights of its own"
        )
    if name.startswith(ZOO_PREFIX):
        return _build(name.removeprefix(ZOO_PREFIX), batch or 1, seed or 0, keep_batchnorm)
    if seed is not None or keep_batchnorm:
        raise ModelFileError(
            f"{name}: --seed and --keep-batchnorm are for the zoo, {CAFFE} and {DARKNET} files; "
            "this has weights of its own"
        )
    from counterpoint.network.onnx_file import read_onnx

    return read_onnx(path, batch=batch, input_shapes=input_shapes)


def _reader(suffix: str) -> Callable[..., Network]:
    if suffix == CAFFE:
        from counterpoint.network.caffe import read_caffe

        return read_caffe
    from counterpoint.network.darknet import read_darknet

    return read_darknet


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
