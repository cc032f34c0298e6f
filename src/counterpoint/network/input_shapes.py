"""Gives every input of a file its numbers: the file's own, the batch size, or shapes asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onnx import TensorShapeProto, ValueInfoProto

from counterpoint.errors import ModelFileError

LARGEST_DIMENSION = 1 << 31
"""Above this shape inference's own 64-bit products overflow."""

MOST_NAMED = 10
"""Inputs in one message."""


def fix_input_shapes(
    inputs: Sequence[ValueInfoProto], batch: int | None, shapes: Mapping[str, Sequence[int]]
) -> None:
    """Fixes the shapes, in place.

    Args:
        inputs: Of the graph, weights not among them.
        batch: First dimension of every input; ``None`` keeps the file's, and takes 1 where the
            file leaves it open.
        shapes: Whole shapes by input name; they go before ``batch``.

    Raises:
        ModelFileError: A dimension stays open, or what was asked for does not fit.
    """
    names = [value.name for value in inputs]
    for name in shapes.keys() - set(names):
        raise ModelFileError(
            f"no input is called {name!r}; there are: {', '.join(names[:MOST_NAMED])}"
        )
    for value in inputs:
        if not value.type.HasField("tensor_type"):
            raise ModelFileError(f"input {value.name!r} is no tensor")
        dims = value.type.tensor_type.shape.dim
        if value.name in shapes:
            wanted = shapes[value.name]
            if len(dims) not in (0, len(wanted)):
                raise ModelFileError(
                    f"input {value.name!r} has {len(dims)} dimensions, the shape asked for "
                    f"has {len(wanted)}"
                )
            _set(value, wanted)
        elif dims and (batch is not None or not _is_fixed(dims[0])):
            dims[0].dim_value = batch or 1
        _check(value)


def _set(value: ValueInfoProto, shape: Sequence[int]) -> None:
    if any(not 1 <= size <= LARGEST_DIMENSION for size in shape):
        raise ModelFileError(
            f"input {value.name!r} cannot have the shape {'x'.join(map(str, shape))}"
        )
    value.type.tensor_type.shape.Clear()
    for size in shape:
        value.type.tensor_type.shape.dim.add(dim_value=size)


def _check(value: ValueInfoProto) -> None:
    dims = value.type.tensor_type.shape.dim
    open_dims = [dim.dim_param or "?" for dim in dims if not _is_fixed(dim)]
    if open_dims or not value.type.tensor_type.HasField("shape"):
        raise ModelFileError(
            f"input {value.name!r} leaves dimensions open ({', '.join(open_dims) or 'all'}); "
            f"give them as --shape {value.name}=1x3x224x224"
        )
    if any(dim.dim_value > LARGEST_DIMENSION for dim in dims):
        raise ModelFileError(f"input {value.name!r} has a dimension above {LARGEST_DIMENSION}")


def _is_fixed(dim: TensorShapeProto.Dimension) -> bool:
    return bool(dim.HasField("dim_value") and dim.dim_value > 0)
