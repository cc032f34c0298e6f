"""The inputs of a Caffe network and their shapes.

They stand in the head of a file (``input`` with ``input_dim`` or ``input_shape``), in Input layers,
or not at all, where a data layer feeds the network in training: its first output is an input then,
and what it does not say has to be asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onnx import TensorProto, helper

from counterpoint.errors import ModelFileError
from counterpoint.network.caffe.draft import MOST_AXES
from counterpoint.network.caffe.schema import caffe_pb2 as pb
from counterpoint.network.input_shapes import fix_input_shapes
from counterpoint.network.onnx_checks import check_unique


def head_inputs(head: pb.NetHead) -> dict[str, tuple[int, ...]]:
    """Inputs in the head, and their shapes; an empty one where the file does not say.

    Raises:
        ModelFileError: Names and sizes do not fit.
    """
    names = list(head.input)
    check_unique(names, "input")
    if head.input_shape:
        shapes = [tuple(shape.dim) for shape in head.input_shape]
    else:
        dims = list(head.input_dim)
        if len(dims) % 4:
            raise ModelFileError(f"{len(dims)} input_dim; each input has four")
        shapes = [tuple(dims[start : start + 4]) for start in range(0, len(dims), 4)]
    if not names and shapes:
        raise ModelFileError("it has input sizes but no input")
    if shapes and len(shapes) != len(names):
        raise ModelFileError(f"{len(shapes)} input shapes for {len(names)} inputs")
    return dict(zip(names, shapes or [()] * len(names), strict=True))


def layer_inputs(layer: pb.LayerParameter) -> dict[str, tuple[int, ...]]:
    """Inputs that an Input or data layer stands for; a data layer's labels are none.

    Raises:
        ModelFileError: Outputs and shapes do not fit.
    """
    tops = list(layer.top)
    if layer.type == "Input":
        shapes = [tuple(shape.dim) for shape in layer.input_param.shape]
        if len(shapes) == 1:
            shapes *= len(tops)
        if shapes and len(shapes) != len(tops):
            raise ModelFileError(
                f"layer {layer.name!r} has {len(shapes)} shapes for {len(tops)} outputs"
            )
        return dict(zip(tops, shapes or [()] * len(tops), strict=True))
    return {tops[0]: _data_shape(layer)} if tops else {}


def _data_shape(layer: pb.LayerParameter) -> tuple[int, ...]:
    memory, dummy = layer.memory_data_param, layer.dummy_data_param
    if layer.type == "MemoryData":
        return (memory.batch_size, memory.channels, memory.height, memory.width)
    if layer.type == "DummyData" and dummy.shape:
        return tuple(dummy.shape[0].dim)
    if layer.type == "DummyData" and dummy.num and dummy.channels and dummy.height and dummy.width:
        return (dummy.num[0], dummy.channels[0], dummy.height[0], dummy.width[0])
    return ()


def fixed_shapes(
    declared: Mapping[str, Sequence[int]],
    batch: int | None,
    wanted: Mapping[str, Sequence[int]],
) -> dict[str, tuple[int, ...]]:
    """The shapes with what was asked for, by the rules that ONNX files follow too.

    Raises:
        ModelFileError: One stays open, or is absurd.
    """
    values = []
    for name, shape in declared.items():
        if len(shape) > MOST_AXES:
            raise ModelFileError(f"input {name!r} has {len(shape)} axes")
        if not shape and name not in wanted:
            raise ModelFileError(
                f"the file does not say the shape of input {name!r}; "
                f"give it as --shape {name}=1x3x224x224"
            )
        dims = [size if 0 < size < 1 << 62 else None for size in shape] or None
        values.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, dims))
    fix_input_shapes(values, batch, wanted)
    return {
        value.name: tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
        for value in values
    }
