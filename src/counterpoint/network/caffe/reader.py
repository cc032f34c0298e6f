"""From a prototxt and a caffemodel to an ONNX model and a :class:`Network`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx

from counterpoint.errors import ModelFileError
from counterpoint.network.caffe.caffemodel import read_caffemodel
from counterpoint.network.caffe.convolution import FOLDING
from counterpoint.network.caffe.draft import Draft, Tensor
from counterpoint.network.caffe.inputs import fixed_shapes, head_inputs, layer_inputs
from counterpoint.network.caffe.normalisation import is_channel_scale, is_inference_norm
from counterpoint.network.caffe.parameters import (
    Parameters,
    SeededParameters,
    TrainedParameters,
    owner_keys,
)
from counterpoint.network.caffe.phases import state_of, takes_part
from counterpoint.network.caffe.prototxt import NetText, read_prototxt
from counterpoint.network.caffe.registry import CONVERTERS, DROPPED, PADDING, SOURCES, known_types
from counterpoint.network.caffe.schema import caffe_pb2 as pb
from counterpoint.network.caffe.scope import Scope, Source
from counterpoint.network.caffe.upgrade import merge_padding
from counterpoint.network.caffe.wiring import INPUT, Step, Version, Wiring, wired
from counterpoint.network.graph import Network
from counterpoint.network.onnx_file import network_of_model
from counterpoint.network.weights import WeightFile

MOST_NAMED = 10
"""Unknown layer types in one message."""


def read_caffe(
    prototxt: Path,
    weights: Path | None,
    *,
    batch: int | None,
    input_shapes: Mapping[str, Sequence[int]] | None,
    seed: int | None,
    keep_batchnorm: bool = False,
    phase: str = "TEST",
) -> Network:
    """Reads one Caffe network.

    Args:
        prototxt: The architecture.
        weights: The caffemodel; ``None`` where there is none.
        batch: Size of the first dimension of every input; ``None`` keeps the file's.
        input_shapes: Whole shapes by input name; they go before ``batch``.
        seed: Of the weights, where there are no trained ones.
        keep_batchnorm: Leave BatchNorm and Scale behind their convolution instead of folding them.
        phase: ``TEST`` or ``TRAIN``: which layers' rules count.

    Raises:
        ModelFileError: A file cannot be used, or weights are missing; the message says why.
        MachineError: No room for the weights.
    """
    model, kept = caffe_model(
        prototxt,
        weights,
        batch=batch,
        input_shapes=input_shapes,
        seed=seed,
        keep_batchnorm=keep_batchnorm,
        phase=phase,
    )
    try:
        return network_of_model(model, kept, prototxt.stem)
    except ModelFileError as error:
        raise ModelFileError(f"{prototxt}: {error}") from error


def caffe_model(
    prototxt: Path,
    weights: Path | None,
    *,
    batch: int | None,
    input_shapes: Mapping[str, Sequence[int]] | None,
    seed: int | None,
    keep_batchnorm: bool = False,
    phase: str = "TEST",
) -> tuple[onnx.ModelProto, WeightFile]:
    """The ONNX model, and the file of its large weights; see :func:`read_caffe`."""
    if weights is None and seed is None:
        raise ModelFileError(
            f"{prototxt}: a prototxt holds no weights; give them as --weights NET.caffemodel, or "
            "ask for seeded ones with --seed"
        )
    try:
        text = read_prototxt(prototxt)
        layers, inputs = _chosen(text, phase)
        shapes = fixed_shapes(inputs, batch, input_shapes or {})
        wiring = wired(layers, list(inputs))
    except ModelFileError as error:
        raise ModelFileError(f"{prototxt}: {error}") from error
    if weights is not None:
        parameters: Parameters = TrainedParameters(read_caffemodel(weights))
    else:
        parameters = SeededParameters(seed or 0)
    try:
        kept = WeightFile()
        draft = Draft(text.head.name or prototxt.stem, kept)
        source = Source(draft, parameters, owner_keys(layers), {}, weights is None)
        with np.errstate(all="ignore"):  # trained numbers may be anything
            return _Conversion(wiring, source, keep_batchnorm).run(shapes), kept
    except ModelFileError as error:
        raise ModelFileError(f"{prototxt}: {error}") from error


def _chosen(
    text: NetText, phase: str
) -> tuple[list[pb.LayerParameter], dict[str, tuple[int, ...]]]:
    """The layers of that phase that compute, and the inputs.

    Raises:
        ModelFileError: A type or a field that nobody here knows, or there is nothing to compute.
    """
    state = state_of(text.head, phase)
    inputs = head_inputs(text.head)
    layers = []
    unknown: dict[str, None] = {}
    complaints = []
    known = {*CONVERTERS, *SOURCES, *DROPPED, PADDING}
    for entry in text.layers:
        layer = entry.layer
        if not takes_part(layer, state) or layer.type in DROPPED:
            continue
        if layer.type not in known:
            unknown[layer.type] = None
        elif layer.type in SOURCES:
            inputs.update(layer_inputs(layer))
        else:
            complaints += [entry.complaint] if entry.complaint else []
            layers.append(layer)
    if unknown:
        names = ", ".join(repr(name[:40]) for name in list(unknown)[:MOST_NAMED])
        raise ModelFileError(f"unknown layer types: {names}; known: {', '.join(known_types())}")
    if complaints:
        raise ModelFileError(complaints[0])
    layers = merge_padding(layers)
    if not inputs:
        raise ModelFileError("it has no input: no Input layer, no input field, no data layer")
    if not layers:
        raise ModelFileError("it has nothing to compute in this phase")
    return layers, inputs


@dataclass
class _Conversion:
    """Converts layer by layer.

    Attributes:
        wiring: The layers.
        source: What converters share.
        keep_batchnorm: Do not fold into convolutions.
        made: What each version became.
        absorbed: Layers that went into the one before them.
    """

    wiring: Wiring
    source: Source
    keep_batchnorm: bool
    made: dict[Version, Tensor] = field(default_factory=dict)
    absorbed: set[int] = field(default_factory=set)

    def run(self, shapes: Mapping[str, tuple[int, ...]]) -> onnx.ModelProto:
        """The model of inputs of those shapes."""
        draft = self.source.draft
        for name, shape in shapes.items():
            self.made[Version(name, INPUT)] = draft.input(name, shape)
        for name, version in self.wiring.last.items():
            if version.writer != INPUT and name not in shapes:
                draft.reserve(name)
        for index, step in enumerate(self.wiring.steps):
            if index not in self.absorbed:
                self._convert(index, step, shapes)
        outputs = {}
        for version in self.wiring.unread():
            tensor = self.made[version]
            if tensor.value is None:
                outputs[self._output_name(version, shapes)] = tensor
        return draft.finish(list(outputs.items()))

    def _output_name(self, version: Version, inputs: Mapping[str, tuple[int, ...]]) -> str:
        if version.blob in inputs or version != self.wiring.last[version.blob]:
            return self.made[version].name
        return version.blob

    def _convert(self, index: int, step: Step, inputs: Mapping[str, tuple[int, ...]]) -> None:
        layer = step.layer
        if not step.bottoms:
            raise ModelFileError(f"layer {layer.name!r} ({layer.type}) reads nothing")
        followers, tops = self._followers(index, step)
        bottoms = tuple(self.made[version] for version in step.bottoms)
        scope = Scope(layer, bottoms, self.source, followers, len(tops))
        try:
            results = CONVERTERS[layer.type](scope)
        except (OverflowError, MemoryError) as error:
            raise scope.fail(f"its sizes are absurd ({error})") from error
        if len(results) != len(tops):
            raise scope.fail(f"it makes {len(results)} outputs, the file names {len(tops)}")
        reused = {bottom.name for bottom in bottoms}
        for version, tensor in zip(tops, results, strict=True):
            fresh = tensor.name not in reused and tensor.value is None
            reused.add(tensor.name)
            self.made[version] = self._named(version, tensor, layer, inputs) if fresh else tensor

    def _named(
        self,
        version: Version,
        tensor: Tensor,
        layer: pb.LayerParameter,
        inputs: Mapping[str, tuple[int, ...]],
    ) -> Tensor:
        """The tensor under its blob's name, or under its own where the blob is written again."""
        draft = self.source.draft
        if version == self.wiring.last[version.blob] and version.blob not in inputs:
            name = version.blob
        else:
            name = draft.free_name(f"{version.blob}/{layer.name}")
        return draft.rename(tensor, name, layer.name)

    def _followers(
        self, index: int, step: Step
    ) -> tuple[tuple[pb.LayerParameter, ...], tuple[Version, ...]]:
        """BatchNorm and Scale layers that this one takes in, and what is made then."""
        found: list[pb.LayerParameter] = []
        tops = step.tops
        kind = step.layer.type
        folds = kind in FOLDING and not self.keep_batchnorm and self._over_channels(step)
        if not folds and not is_inference_norm(step.layer):
            return (), tops
        norms = 0 if folds else 1
        while len(tops) == 1:
            reader = self.wiring.only_reader(tops[0])
            if reader is None:
                break
            follower = self.wiring.steps[reader]
            is_norm = is_inference_norm(follower.layer) and norms == 0
            if len(follower.tops) != 1 or not (is_norm or is_channel_scale(follower.layer)):
                break
            norms += is_norm
            found.append(follower.layer)
            self.absorbed.add(reader)
            tops = follower.tops
        return tuple(found), tops

    def _over_channels(self, step: Step) -> bool:
        """Its outputs' axis 1 counts its kernels."""
        if step.layer.type != "InnerProduct":
            return len(step.bottoms) == 1
        rank = self.made[step.bottoms[0]].rank
        axis = step.layer.inner_product_param.axis
        return (axis if axis >= 0 else rank + axis) == 1
