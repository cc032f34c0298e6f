"""Small networks that together have every layer type of the Caffe and Darknet readers."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

from counterpoint.errors import ModelFileError
from counterpoint.network.caffe import caffe_model, reader
from counterpoint.network.darknet import darknet_model
from tests.network.caffe.runs import RecordingParameters, caffemodel_of

IMAGE = (1, 4, 6, 6)


def prototxt(body: str, *shapes: Sequence[int]) -> str:
    """A network of inputs a, b, ... of those shapes; an image where there are none."""
    heads = [
        f'input: "{name}" input_shape {{ {" ".join(f"dim: {size}" for size in shape)} }}\n'
        for name, shape in zip("abcdef", shapes or [IMAGE], strict=False)
    ]
    return 'name: "small"\n' + "".join(heads) + body


def layer(kind: str, parameters: str = "", bottoms: str = "a", tops: str = "y") -> str:
    """One layer, named as its first output."""
    places = " ".join(f'bottom: "{name}"' for name in bottoms.split())
    places += "".join(f' top: "{name}"' for name in tops.split())
    name = (tops.split() or ["none"])[0]
    return f'layer {{ name: "{name}" type: "{kind}" {places} {parameters} }}\n'


PARAMETERS: Mapping[str, Sequence[str]] = {
    "AbsVal": [""],
    "ArgMax": ["argmax_param { axis: 1 top_k: 2 }", "argmax_param { out_max_val: true }"],
    "BNLL": [""],
    "BatchNorm": ["batch_norm_param { use_global_stats: true eps: 1e-3 }"],
    "Bias": ["bias_param { axis: 1 num_axes: 2 }"],
    "Clip": ["clip_param { min: -1 max: 1 }"],
    "Concat": ["concat_param { axis: 1 }"],
    "Convolution": [
        "convolution_param { num_output: 4 kernel_size: 3 pad: 1 stride: 2 group: 2 dilation: 1 }",
        "convolution_param { num_output: 2 kernel_h: 3 kernel_w: 1 bias_term: false }",
        'param { name: "w" } param { name: "b" } '
        "convolution_param { num_output: 4 kernel_size: 1 }",
    ],
    "ConvolutionDepthwise": ["convolution_param { num_output: 4 kernel_size: 3 }"],
    "Deconvolution": ["convolution_param { num_output: 4 kernel_size: 4 stride: 2 pad: 1 }"],
    "DepthwiseConvolution": ["convolution_param { num_output: 4 kernel_size: 3 group: 4 }"],
    "Dropout": ["dropout_param { dropout_ratio: 0.2 scale_train: false }"],
    "ELU": ["elu_param { alpha: 0.5 }"],
    "Exp": ["exp_param { base: 2 scale: 0.5 shift: 1 }"],
    "Flatten": ["", "flatten_param { axis: 2 end_axis: -1 }"],
    "InnerProduct": [
        "inner_product_param { num_output: 3 }",
        "inner_product_param { num_output: 3 axis: 2 transpose: true bias_term: false }",
    ],
    "Interp": [
        "interp_param { zoom_factor: 2 pad_beg: 0 pad_end: -1 }",
        "interp_param { height: 3 width: 9 }",
    ],
    "LRN": [
        "lrn_param { local_size: 3 alpha: 1e-4 beta: 0.75 }",
        "lrn_param { local_size: 3 norm_region: WITHIN_CHANNEL }",
    ],
    "Log": ["log_param { base: 10 shift: 9 }"],
    "MVN": ["mvn_param { across_channels: true eps: 1e-6 }"],
    "Normalize": ["norm_param { across_spatial: false scale_filler { value: 20 } }"],
    "NormalizeBBox": ["normalize_bbox_param { channel_shared: false }"],
    "PReLU": ["", "prelu_param { channel_shared: true filler { value: 0.1 } }"],
    "Permute": ["permute_param { order: 0 order: 2 order: 3 order: 1 }"],
    "Pooling": [
        "pooling_param { kernel_size: 3 stride: 2 }",
        "pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 }",
        "pooling_param { pool: AVE global_pooling: true }",
        "pooling_param { kernel_h: 2 kernel_w: 3 stride_h: 1 stride_w: 2 round_mode: FLOOR }",
    ],
    "Power": ["power_param { power: 2 scale: 0.5 shift: 3 }"],
    "ReLU": ["", "relu_param { negative_slope: 0.1 }"],
    "ReLU6": ["relu6_param { threshold: 6 }"],
    "Reduction": ["reduction_param { operation: ASUM axis: 1 coeff: 2 }"],
    "Reorg": ["reorg_param { stride: 2 }", "reorg_param { stride: 2 reverse: true }"],
    "Reshape": ["reshape_param { axis: 1 num_axes: 2 shape { dim: 0 dim: -1 } }"],
    "Scale": ["scale_param { bias_term: true }", "scale_param { axis: 0 num_axes: -1 }"],
    "ShuffleChannel": ["shuffle_channel_param { group: 2 }"],
    "Sigmoid": [""],
    "Softmax": ["softmax_param { axis: 1 }"],
    "Swish": ["swish_param { beta: 2 }"],
    "TanH": [""],
    "Threshold": ["threshold_param { threshold: 0.2 }"],
    "Tile": ["tile_param { axis: 2 tiles: 3 }"],
    "Upsample": ["upsample_param { scale: 2 }"],
}
"""Of layers that make one tensor of one."""

PRIORS = layer("PriorBox", "prior_box_param { min_size: 2 max_size: 3 aspect_ratio: 2 }", "a b")
"""Four boxes at each place."""

_SSD = (
    layer("Convolution", "convolution_param { num_output: 16 kernel_size: 1 }", "a", "l")
    + layer("Convolution", "convolution_param { num_output: 12 kernel_size: 1 }", "a", "c")
    + "".join(
        layer("Permute", "permute_param { order: 0 order: 2 order: 3 order: 1 }", name, name + "p")
        + layer("Flatten", "", name + "p", name + "f")
        for name in "lc"
    )
    + PRIORS.replace('"y"', '"p1"')
    + PRIORS.replace('"y"', '"p2"').replace("max_size: 3", "max_size: 4 clip: true step: 1")
    + layer("Concat", "concat_param { axis: 1 }", "lf lf", "locations")
    + layer("Concat", "concat_param { axis: 1 }", "cf cf", "scores")
    + layer("Concat", "concat_param { axis: 2 }", "p1 p2", "priors")
    + layer(
        "DetectionOutput",
        "detection_output_param { num_classes: 3 code_type: CENTER_SIZE keep_top_k: 5 "
        "confidence_threshold: 0.01 nms_param { nms_threshold: 0.45 top_k: 6 } }",
        "locations scores priors",
    )
)

_FOLDED = (
    layer("Convolution", "convolution_param { num_output: 4 kernel_size: 3 }", "a", "x")
    + layer("BatchNorm", "", "x", "x").replace('"x" type', '"n" type')
    + layer("Scale", "scale_param { bias_term: true }", "x", "x").replace('"x" type', '"s" type')
    + layer("ReLU", "", "x", "x").replace('"x" type', '"r" type')
    + layer("Pooling", "pooling_param { kernel_size: 2 stride: 2 }", "x", "p")
    + layer("InnerProduct", "inner_product_param { num_output: 3 }", "p", "ip")
    + layer("SoftmaxWithLoss", "include { phase: TRAIN }", "ip label", "loss")
    + layer("Accuracy", "include { phase: TEST stage: 'val' }", "ip label", "accuracy")
    + layer("Softmax", "exclude { phase: TRAIN }", "ip", "y")
)

_V1 = """
layers { name: "c" type: CONVOLUTION bottom: "a" top: "c" blobs_lr: 1 param: "w"
         convolution_param { num_output: 3 kernel_size: 3 weight_filler { type: "xavier" } } }
layers { name: "r" type: RELU bottom: "c" top: "c" }
layers { name: "e" type: ELTWISE bottom: "c" bottom: "c" top: "e"
         eltwise_param { coeff: 1 coeff: 2 } }
layers { name: "k" type: CONCAT bottom: "c" bottom: "e" top: "k" concat_param { concat_dim: 1 } }
layers { name: "s" type: SLICE bottom: "k" top: "s1" top: "s2" slice_param { slice_dim: 1 } }
layers { name: "i" type: INNER_PRODUCT bottom: "s1" top: "i" inner_product_param { num_output: 2 } }
layers { name: "o" type: SILENCE bottom: "s2" }
"""

_V0 = """
layers { layer { name: "pad" type: "padding" pad: 1 } bottom: "a" top: "p" }
layers { layer { name: "c" type: "conv" num_output: 3 kernelsize: 3 stride: 2 group: 1
         biasterm: false } bottom: "p" top: "c" }
layers { layer { name: "m" type: "pool" pool: AVE kernelsize: 2 stride: 2 } bottom: "c" top: "m" }
layers { layer { name: "n" type: "lrn" local_size: 3 alpha: 1e-4 } bottom: "m" top: "n" }
layers { layer { name: "f" type: "innerproduct" num_output: 7 } bottom: "n" top: "f" }
layers { layer { name: "s" type: "softmax" } bottom: "f" top: "s" }
"""

_SEVERAL: Mapping[str, str] = {
    "axpy": prototxt(layer("Axpy", "", "a b c"), (1, 4, 1, 1), IMAGE, IMAGE),
    "bias of two": prototxt(layer("Bias", "bias_param { axis: 0 }", "a b"), IMAGE, (1,)),
    "concat of two": prototxt(layer("Concat", "", "a b"), IMAGE, (1, 2, 6, 6)),
    "crop": prototxt(
        layer("Crop", "crop_param { axis: 2 offset: 1 offset: 2 }", "a b"), IMAGE, (1, 4, 2, 3)
    ),
    "eltwise": prototxt(
        layer("Eltwise", "eltwise_param { coeff: 1 coeff: -2 }", "a b"), IMAGE, IMAGE
    ),
    "maximum": prototxt(
        layer("Eltwise", "eltwise_param { operation: MAX }", "a b a"), IMAGE, IMAGE
    ),
    "product": prototxt(layer("Eltwise", "eltwise_param { operation: PROD }", "a a")),
    "folded": prototxt(_FOLDED),
    "oldest form": prototxt(_V0),
    "older form": prototxt(_V1),
    "scale of two": prototxt(layer("Scale", "scale_param { axis: 1 }", "a b"), IMAGE, (4, 6)),
    "slices": prototxt(
        layer("Slice", "slice_param { slice_point: 1 slice_point: 3 }", "a", "x y z")
        + layer("Split", "", "x", "s t")
        + layer("Silence", "", "t", "")
    ),
    "ssd": prototxt(_SSD, IMAGE, (1, 3, 12, 12)),
    "yolo": prototxt(
        layer(
            "YoloDetectionOutput",
            "yolo_detection_output_param { num_classes: 3 num_box: 2 biases: 1 biases: 2 "
            "biases: 2 biases: 1 coords: 4 confidence_threshold: 0.1 }",
        ),
        (1, 16, 4, 4),
    ),
    "yolov3": prototxt(
        layer(
            "Yolov3DetectionOutput",
            "yolov3_detection_output_param { num_classes: 3 num_box: 1 mask_group_num: 2 "
            "biases: 10 biases: 13 biases: 16 biases: 30 anchors_scale: 32 anchors_scale: 16 "
            "mask: 0 mask: 1 }",
            "a b",
        ),
        (1, 8, 2, 2),
        (1, 8, 4, 4),
    ),
    **{
        f"from {kind}": layer(kind, parameters, "", "data label")
        + layer("InnerProduct", "inner_product_param { num_output: 2 }", "data", "y")
        for kind, parameters in {
            "DummyData": "dummy_data_param { num: 1 channels: 2 height: 3 width: 4 }",
            "Input": "input_param { shape { dim: 1 dim: 2 dim: 3 } }",
            "MemoryData": "memory_data_param { batch_size: 1 channels: 2 height: 3 width: 4 }",
        }.items()
    },
}

PROTOTXT: Mapping[str, str] = {
    **{
        f"{kind} {number}": prototxt(layer(kind, parameters))
        for kind, forms in PARAMETERS.items()
        for number, parameters in enumerate(forms)
    },
    **_SEVERAL,
}
"""Texts by a name for people; all are read."""

_NET = "[net]\nbatch=1\nheight=8\nwidth=8\nchannels=4\n"
_CONVOLUTION = "[convolutional]\nfilters=4\nsize=3\nstride=1\npad=1\n"

CFG: Mapping[str, str] = {
    "yolo": _NET
    + _CONVOLUTION
    + "batch_normalize=1\nactivation=leaky\n"
    + "[maxpool]\nsize=2\nstride=2\n"
    + "[conv]\nfilters=4\nsize=1\npadding=0\nactivation=linear\n"
    + "[shortcut]\nfrom=-2\nactivation=linear\n"
    + "[route]\nlayers=-1,-3\n"
    + "[reorg]\nstride=2\n"
    + "[yolo]\nmask=0,1\nanchors=10,13, 16,30\nclasses=2\n"
    + "[route]\nlayers=-4\ngroups=2\ngroup_id=1\n"
    + "[upsample]\nstride=2\n",
    "classifier": _NET
    + _CONVOLUTION
    + "groups=2\ndilation=1\nactivation=mish\n"
    + "[dropout]\nprobability=.5\n"
    + "[connected]\noutput=3\nbatch_normalize=1\nactivation=swish\n"
    + "[softmax]\ngroups=1\n[cost]\ntype=sse\n",
    "averages": _NET
    + "".join(f"{_CONVOLUTION}activation={name}\n" for name in ("relu", "logistic", "tanh", "elu"))
    + "[avgpool]\n",
    "region": _NET + _CONVOLUTION + "activation=linear\n[region]\nclasses=2\n",
}


def caffemodel(text: str, folder: Path) -> bytes | None:
    """Weights for a prototxt; ``None`` where it needs none."""
    path = folder / "recorded.prototxt"
    path.write_text(text, encoding="utf-8")
    with patch.object(reader, "SeededParameters", RecordingParameters):
        caffe_model(path, None, batch=None, input_shapes=None, seed=0)
    if not RecordingParameters.recorded:
        return None
    data: bytes = caffemodel_of(RecordingParameters.recorded).SerializeToString()
    return data


def darknet_weights(text: str, folder: Path) -> bytes:
    """Weights for a cfg: as many as the reader asks for."""
    path, weights = folder / "recorded.cfg", folder / "recorded.weights"
    path.write_text(text, encoding="utf-8")
    numbers = np.linspace(0.5, 1.5, 10_000, dtype="<f4").tobytes()
    data = struct.pack("<iiiq", 0, 2, 0, 0) + numbers
    weights.write_bytes(data)
    with pytest.raises(ModelFileError, match="are left after the last layer") as caught:
        darknet_model(path, weights, batch=None, input_shapes=None, seed=None)
    left = re.search(r"(\d+) bytes are left", str(caught.value))
    assert left is not None
    return data[: -int(left[1])]
