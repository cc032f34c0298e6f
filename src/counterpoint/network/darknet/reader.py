"""From a Darknet cfg and its weights to an ONNX model and a :class:`Network`.

The detection layers (``region``, ``yolo``) decode what the last convolutions say; they are left
out, and what they would read is what the network returns, as in the zoo's YOLOv2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import onnx

from counterpoint.errors import ModelFileError
from counterpoint.network.caffe.draft import Draft
from counterpoint.network.caffe.inputs import fixed_shapes
from counterpoint.network.darknet.cfg import Section, read_cfg
from counterpoint.network.darknet.layers import Conversion
from counterpoint.network.darknet.weights_file import FileNumbers, Numbers, SeededNumbers
from counterpoint.network.graph import Network
from counterpoint.network.onnx_file import network_of_model
from counterpoint.network.weights import WeightFile

INPUT = "data"


def read_darknet(
    cfg: Path,
    weights: Path | None,
    *,
    batch: int | None,
    input_shapes: Mapping[str, Sequence[int]] | None,
    seed: int | None,
    keep_batchnorm: bool = False,
) -> Network:
    """Reads one Darknet network.

    Args:
        cfg: The architecture.
        weights: The ``.weights`` file; ``None`` where there is none.
        batch: Images in a frame; ``None`` takes 1 (the file's own is that of the training).
        input_shapes: The whole shape of ``data``; goes before ``batch``.
        seed: Of the weights, where there are no trained ones.
        keep_batchnorm: Leave BatchNorm behind its convolution instead of folding it.

    Raises:
        ModelFileError: A file cannot be used, or weights are missing; the message says why.
        MachineError: No room for the weights.
    """
    model, kept = darknet_model(
        cfg,
        weights,
        batch=batch,
        input_shapes=input_shapes,
        seed=seed,
        keep_batchnorm=keep_batchnorm,
    )
    try:
        return network_of_model(model, kept, cfg.stem)
    except ModelFileError as error:
        raise ModelFileError(f"{cfg}: {error}") from error


def darknet_model(
    cfg: Path,
    weights: Path | None,
    *,
    batch: int | None,
    input_shapes: Mapping[str, Sequence[int]] | None,
    seed: int | None,
    keep_batchnorm: bool = False,
) -> tuple[onnx.ModelProto, WeightFile]:
    """The ONNX model of a Darknet network, and the file of its large weights."""
    if weights is None and seed is None:
        raise ModelFileError(
            f"{cfg}: a cfg holds no weights; give them as --weights NET.weights, or ask for seeded "
            "ones with --seed"
        )
    try:
        sections = read_cfg(cfg)
        shape = fixed_shapes({INPUT: _input_shape(sections[0])}, batch, input_shapes or {})[INPUT]
        if len(shape) != 4:
            raise ModelFileError(f"input {INPUT!r} has {len(shape)} axes; an image has four")
        kept = WeightFile()
        with FileNumbers(weights) if weights is not None else nullcontext() as file:
            numbers: Numbers = SeededNumbers(seed or 0) if file is None else file
            draft = Draft(cfg.stem, kept)
            conversion = Conversion(draft, numbers, keep_batchnorm, draft.input(INPUT, shape))
            with np.errstate(all="ignore"):  # trained numbers may be anything
                model = conversion.run(sections[1:])
            if file is not None:
                file.check_end()
        return model, kept
    except ModelFileError as error:
        raise ModelFileError(f"{cfg}: {error}") from error


def _input_shape(net: Section) -> tuple[int, ...]:
    height, width = net.integer("height", 0), net.integer("width", 0)
    channels = net.integer("channels", 3)
    if not (height and width and channels):
        raise net.fail("height, width or channels is missing")
    return (1, channels, height, width)
