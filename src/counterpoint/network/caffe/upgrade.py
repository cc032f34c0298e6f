"""Upgrades layers of the two older forms, as Caffe's ``upgrade_proto.cpp`` does.

* V1 (``layers { type: CONVOLUTION ... }``): the type is an enumerator, ``param`` are names.
* V0 (``layers { layer { name: "conv1" type: "conv" num_output: 20 ... } ... }``): one flat message;
  padding is a layer of its own and joins the convolution or pooling behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from counterpoint.errors import ModelFileError
from counterpoint.network.caffe.schema import caffe_pb2 as pb

V1_TYPES: Mapping[str, str] = {
    "ABSVAL": "AbsVal",
    "ACCURACY": "Accuracy",
    "ARGMAX": "ArgMax",
    "BNLL": "BNLL",
    "CONCAT": "Concat",
    "CONTRASTIVE_LOSS": "ContrastiveLoss",
    "CONVOLUTION": "Convolution",
    "DATA": "Data",
    "DECONVOLUTION": "Deconvolution",
    "DROPOUT": "Dropout",
    "DUMMY_DATA": "DummyData",
    "ELTWISE": "Eltwise",
    "EUCLIDEAN_LOSS": "EuclideanLoss",
    "EXP": "Exp",
    "FLATTEN": "Flatten",
    "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output",
    "HINGE_LOSS": "HingeLoss",
    "IM2COL": "Im2col",
    "IMAGE_DATA": "ImageData",
    "INFOGAIN_LOSS": "InfogainLoss",
    "INNER_PRODUCT": "InnerProduct",
    "LRN": "LRN",
    "MEMORY_DATA": "MemoryData",
    "MULTINOMIAL_LOGISTIC_LOSS": "MultinomialLogisticLoss",
    "MVN": "MVN",
    "POOLING": "Pooling",
    "POWER": "Power",
    "RELU": "ReLU",
    "SIGMOID": "Sigmoid",
    "SIGMOID_CROSS_ENTROPY_LOSS": "SigmoidCrossEntropyLoss",
    "SILENCE": "Silence",
    "SLICE": "Slice",
    "SOFTMAX": "Softmax",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "SPLIT": "Split",
    "TANH": "TanH",
    "THRESHOLD": "Threshold",
    "WINDOW_DATA": "WindowData",
}

V0_TYPES: Mapping[str, str] = {
    "accuracy": "Accuracy",
    "bnll": "BNLL",
    "concat": "Concat",
    "conv": "Convolution",
    "data": "Data",
    "dropout": "Dropout",
    "euclidean_loss": "EuclideanLoss",
    "flatten": "Flatten",
    "hdf5_data": "HDF5Data",
    "hdf5_output": "HDF5Output",
    "im2col": "Im2col",
    "images": "ImageData",
    "infogain_loss": "InfogainLoss",
    "innerproduct": "InnerProduct",
    "lrn": "LRN",
    "multinomial_logistic_loss": "MultinomialLogisticLoss",
    "padding": "Padding",  # ours: gone after merge_padding
    "pool": "Pooling",
    "relu": "ReLU",
    "reshape": "Reshape",
    "sigmoid": "Sigmoid",
    "softmax": "Softmax",
    "softmax_loss": "SoftmaxWithLoss",
    "split": "Split",
    "tanh": "TanH",
    "window_data": "WindowData",
}

_SHARED_FIELDS = (
    *("bottom", "top", "include", "exclude", "loss_weight", "transform_param", "loss_param"),
    *("accuracy_param", "argmax_param", "concat_param", "convolution_param", "data_param"),
    *("dropout_param", "dummy_data_param", "eltwise_param", "exp_param", "inner_product_param"),
    *("lrn_param", "memory_data_param", "mvn_param", "pooling_param", "power_param"),
    *("relu_param", "sigmoid_param", "slice_param", "softmax_param", "tanh_param"),
    "threshold_param",
)


def upgraded(old: pb.V1LayerParameter) -> Sequence[pb.LayerParameter]:
    """The newest form of one ``layers`` block.

    Raises:
        ModelFileError: A type that none of the old forms has.
    """
    if old.HasField("layer"):
        return [_from_v0(old)]
    new = pb.LayerParameter(name=old.name)
    kind = pb.V1LayerParameter.LayerType.Name(old.type)
    new.type = V1_TYPES.get(kind, kind)
    for field in _SHARED_FIELDS:
        value = getattr(old, field)
        if field in ("bottom", "top", "include", "exclude", "loss_weight"):
            getattr(new, field).extend(value)
        elif old.HasField(field):
            getattr(new, field).CopyFrom(value)
    for name in old.param:
        new.param.add(name=name)
    return [new]


def _from_v0(old: pb.V1LayerParameter) -> pb.LayerParameter:
    flat = old.layer
    if flat.type not in V0_TYPES:
        raise ModelFileError(
            f"layer {flat.name!r} has the type {flat.type!r}, which the oldest form of Caffe's "
            f"files does not have; known: {', '.join(V0_TYPES)}"
        )
    new = pb.LayerParameter(name=flat.name, type=V0_TYPES[flat.type])
    new.bottom.extend(old.bottom)
    new.top.extend(old.top)
    if flat.type in _V0_PARAMETERS:
        _V0_PARAMETERS[flat.type](flat, new)
    return new


def _convolution(flat: pb.V0LayerParameter, new: pb.LayerParameter) -> None:
    target = new.convolution_param
    target.num_output, target.bias_term, target.group = flat.num_output, flat.biasterm, flat.group
    target.kernel_size.append(flat.kernelsize)
    target.stride.append(flat.stride)
    target.pad.append(flat.pad)


def _pooling(flat: pb.V0LayerParameter, new: pb.LayerParameter) -> None:
    target = new.pooling_param
    target.pool, target.kernel_size, target.stride = flat.pool, flat.kernelsize, flat.stride
    target.pad = flat.pad


def _inner_product(flat: pb.V0LayerParameter, new: pb.LayerParameter) -> None:
    new.inner_product_param.num_output = flat.num_output
    new.inner_product_param.bias_term = flat.biasterm


def _lrn(flat: pb.V0LayerParameter, new: pb.LayerParameter) -> None:
    target = new.lrn_param
    target.local_size, target.alpha, target.beta = flat.local_size, flat.alpha, flat.beta
    target.k = flat.k


def _concat(flat: pb.V0LayerParameter, new: pb.LayerParameter) -> None:
    new.concat_param.concat_dim = flat.concat_dim


def _reshape(flat: pb.V0LayerParameter, new: pb.LayerParameter) -> None:
    new.reshape_param.shape.dim.extend(
        [flat.new_num, flat.new_channels, flat.new_height, flat.new_width]
    )


def _data(flat: pb.V0LayerParameter, new: pb.LayerParameter) -> None:
    if flat.HasField("cropsize"):
        new.transform_param.crop_size = flat.cropsize
    if flat.HasField("batchsize"):
        new.data_param.batch_size = flat.batchsize


def _padding(flat: pb.V0LayerParameter, new: pb.LayerParameter) -> None:
    new.convolution_param.pad.append(flat.pad)


_V0_PARAMETERS: Mapping[str, Callable[[pb.V0LayerParameter, pb.LayerParameter], None]] = {
    "concat": _concat,
    "conv": _convolution,
    "data": _data,
    "images": _data,
    "innerproduct": _inner_product,
    "lrn": _lrn,
    "padding": _padding,
    "pool": _pooling,
    "reshape": _reshape,
}


def merge_padding(layers: Sequence[pb.LayerParameter]) -> list[pb.LayerParameter]:
    """The layers without padding layers, whose width joins the one layer that reads each.

    Raises:
        ModelFileError: Something else than a convolution or pooling reads padded data.
    """
    padded = {layer.top[0]: layer for layer in layers if layer.type == "Padding" and layer.top}
    kept = []
    for layer in layers:
        if layer.type == "Padding":
            continue
        source = padded.get(layer.bottom[0]) if layer.bottom else None
        if source is not None:
            if not source.bottom or not source.convolution_param.pad:
                raise ModelFileError(f"layer {source.name!r} (Padding) lacks its input or its pad")
            width = source.convolution_param.pad[0]
            if layer.type == "Convolution":
                layer.convolution_param.ClearField("pad")
                layer.convolution_param.pad.append(width)
            elif layer.type == "Pooling":
                layer.pooling_param.pad = width
            else:
                raise ModelFileError(
                    f"layer {layer.name!r} ({layer.type}) reads padded data; only Convolution and "
                    "Pooling can"
                )
            layer.bottom[0] = source.bottom[0]
        kept.append(layer)
    return kept
