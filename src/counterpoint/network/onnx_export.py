"""Writes a network as an ONNX file of its own, checked before it takes its place."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import ModelProto, TensorProto

from counterpoint.errors import MachineError, ModelFileError
from counterpoint.network.external_data import read_external
from counterpoint.network.graph import Network
from counterpoint.network.onnx_file import LARGEST_FILE_BYTES
from counterpoint.network.onnx_stream import write_with_weights
from counterpoint.network.weights import ALIGNMENT, is_inline, tensor_bytes

FIELD_BYTES = 16
"""At most what protobuf writes around one tensor's values; the references that they replace are
longer."""


@dataclass(frozen=True, slots=True)
class WrittenModel:
    """What :func:`write_model` wrote.

    Attributes:
        path: The model.
        data_path: Its weights, beside it; ``None`` where they are inside.
        size_bytes: Of both.
    """

    path: Path
    data_path: Path | None
    size_bytes: int


def write_model(
    network: Network, path: Path, *, largest_bytes: int = LARGEST_FILE_BYTES
) -> WrittenModel:
    """Writes the whole network, with its fixed input shapes, as one ONNX file.

    Weights go inside. Where that would be too much for one file they go into another beside it,
    which is named after the network's content, so that no other model's weights are replaced.
    Until all is written and checked nothing changes at ``path``.

    Args:
        network: What to write.
        path: Where; a file that is there is replaced.
        largest_bytes: Up to this size weights go inside.

    Raises:
        ModelFileError: ONNX's checker or its strict shape inference refuses the network, or the
            number of an output's dimensions is not known, which the checker asks for.
        MachineError: It cannot be written there.
    """
    target = path.resolve()  # a link stays a link, and what it points to is replaced
    if target.exists() and not target.is_file():
        raise MachineError(f"cannot write {path}: it is no ordinary file")
    source = network.whole().onnx_path()
    model = onnx.load(source, load_external_data=False)
    _shape_outputs(model, network.name)
    outside = [tensor for tensor in model.graph.initializer if not is_inline(tensor)]
    size = model.ByteSize() + sum(tensor_bytes(tensor) + FIELD_BYTES for tensor in outside)
    data_name = f"{target.stem}.{network.content_hash[:16]}.data" if size > largest_bytes else None
    try:
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as name:
            draft = Path(name) / target.name
            made = [draft]
            if data_name is not None:
                made.insert(0, draft.with_name(data_name))
                _move_out(outside, source.parent, made[0])
            _save(model, draft, source.parent if data_name is None else None)
            _check(draft, network.name)
            size_bytes = sum(file.stat().st_size for file in made)
            for file in made:  # the model last: it refers to the other
                file.replace(target.with_name(file.name))
    except OSError as error:
        raise MachineError(f"cannot write {path}: {error.strerror or error}") from error
    return WrittenModel(path, target.with_name(data_name) if data_name else None, size_bytes)


def _shape_outputs(model: ModelProto, name: str) -> None:
    """Gives outputs whose sizes depend on the frame the dimensions that are known, in place."""
    if all(value.type.tensor_type.HasField("shape") for value in model.graph.output):
        return
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    for value, found in zip(model.graph.output, inferred.graph.output, strict=True):
        value.CopyFrom(found)
        if not value.type.tensor_type.HasField("shape"):
            raise ModelFileError(
                f"{name}: nobody can tell how many dimensions output {value.name!r} has; an ONNX "
                "file has to say it"
            )


def _move_out(tensors: Sequence[TensorProto], folder: Path, data: Path) -> None:
    """Copies the values into a file, and points the tensors there."""
    with data.open("xb") as file:
        for tensor in tensors:
            offset = -(-file.tell() // ALIGNMENT) * ALIGNMENT
            file.seek(offset)
            with read_external(tensor, folder, tensor_bytes(tensor)) as values:
                file.write(values)
            for entry in tensor.external_data:
                entry.value = {"location": data.name, "offset": str(offset)}.get(
                    entry.key, entry.value
                )
        file.flush()
        os.fsync(file.fileno())


def _save(model: ModelProto, path: Path, folder: Path | None) -> None:
    """Writes the model; its weights are inside where the folder that they are in is given."""
    with path.open("xb") as file:
        if folder is None:
            file.write(model.SerializeToString())
        else:
            write_with_weights(model, folder, file)
        file.flush()
        os.fsync(file.fileno())


def _check(path: Path, name: str) -> None:
    try:
        onnx.checker.check_model(path, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        reason = " ".join(str(error).split())
        raise ModelFileError(f"{name}: ONNX's checker refuses it: {reason[:500]}") from error
