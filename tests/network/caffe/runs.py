"""Runs what the reader makes: in ONNX Runtime, in ONNX's reference evaluator, and in OpenCV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from counterpoint.network.caffe import caffe_model, reader
from counterpoint.network.caffe.parameters import BlobKey, SeededParameters, Seeding
from counterpoint.network.caffe.schema import caffe_pb2 as pb

Arrays = Mapping[str, np.ndarray[Any, np.dtype[Any]]]


class LRN(OpRun):
    """By the operator's definition; that of onnx 1.23 counts images where it should channels."""

    def _run(self, x: Any, alpha: float, beta: float, bias: float, size: int) -> tuple[Any]:
        channels, reach = x.shape[1], size // 2
        total = np.stack(
            [
                (x[:, max(0, c - reach) : c + reach + 1].astype(np.float64) ** 2).sum(axis=1)
                for c in range(channels)
            ],
            axis=1,
        )
        return ((x / (bias + alpha / size * total) ** beta).astype(x.dtype),)


class Converted:
    """A converted network, complete in memory."""

    def __init__(
        self,
        prototxt: Path,
        weights: Path | None = None,
        *,
        batch: int | None = None,
        input_shapes: Mapping[str, Sequence[int]] | None = None,
        seed: int | None = None,
        keep_batchnorm: bool = False,
    ) -> None:
        model, kept = caffe_model(
            prototxt,
            weights,
            batch=batch,
            input_shapes=input_shapes,
            seed=seed if weights is None else None,
            keep_batchnorm=keep_batchnorm,
        )
        self.model = model
        self._kept = kept
        self.path = kept.scratch.path / "whole.onnx"
        self.path.write_bytes(model.SerializeToString())

    def checked(self) -> Converted:
        """ONNX's checker and full, strict shape inference agree."""
        onnx.checker.check_model(str(self.path))
        onnx.shape_inference.infer_shapes(self.model, check_type=True, strict_mode=True)
        return self

    def inputs(self, seed: int = 0) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
        """Normal numbers for every input."""
        random = np.random.default_rng(seed)
        return {
            value.name: random.standard_normal(
                [dim.dim_value for dim in value.type.tensor_type.shape.dim]
            ).astype(np.float32)
            for value in self.model.graph.input
        }

    def run(self, inputs: Arrays, *, also: Sequence[str] = ()) -> dict[str, Any]:
        """Outputs by name, from ONNX Runtime; ``also`` names tensors between."""
        path = self.path
        if also:
            model = onnx.ModelProto()
            model.CopyFrom(self.model)
            names = {value.name for value in model.graph.output}
            for name in also:
                if name not in names:
                    model.graph.output.add(name=name)
            path = self._kept.scratch.path / "probed.onnx"
            path.write_bytes(model.SerializeToString())
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        names_out = [value.name for value in session.get_outputs()]
        return dict(zip(names_out, session.run(None, dict(inputs)), strict=True))

    def session(self) -> onnxruntime.InferenceSession:
        """ONNX Runtime's session."""
        return onnxruntime.InferenceSession(self.path, providers=["CPUExecutionProvider"])

    def reference(self, inputs: Arrays) -> dict[str, Any]:
        """Outputs by name, from ONNX's reference evaluator."""
        evaluator = ReferenceEvaluator(str(self.path), new_ops=[LRN])
        return dict(zip(evaluator.output_names, evaluator.run(None, dict(inputs)), strict=True))

    def first(self, array: Any) -> Any:
        """The first output for the first input."""
        return next(iter(self.run({self.model.graph.input[0].name: array}).values()))


class RecordingParameters(SeededParameters):
    """Seeded parameters that remember what they gave."""

    recorded: dict[BlobKey, Any]

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        type(self).recorded = {}

    def array(self, key: BlobKey, shape: tuple[int, ...], seeded: Seeding) -> Any:
        drawn = super().array(key, shape, seeded)
        self.recorded[key] = drawn.copy()
        return drawn


def synthesised(
    prototxt: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, **options: Any
) -> tuple[Path, Converted]:
    """A caffemodel of seeded weights, and the network that was converted with them."""
    monkeypatch.setattr(reader, "SeededParameters", RecordingParameters)
    converted = Converted(prototxt, seed=1, **options)
    path = folder / "seeded.caffemodel"
    path.write_bytes(caffemodel_of(RecordingParameters.recorded).SerializeToString())
    return path, converted


def caffemodel_of(blobs: Mapping[BlobKey, Any]) -> pb.NetWeights:
    """A caffemodel's message."""
    net = pb.NetWeights(name="seeded")
    layers: dict[str, pb.LayerWeights] = {}
    for key in sorted(blobs, key=lambda key: (key.layer, key.index)):
        if key.layer not in layers:
            layers[key.layer] = net.layer.add(name=key.layer)
        blob = layers[key.layer].blobs.add()
        array = np.asarray(blobs[key], np.float32)
        blob.shape.dim.extend(array.shape)
        blob.data.append(array.tobytes())
    return net
