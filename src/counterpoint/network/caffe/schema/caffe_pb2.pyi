from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import (
    ClassVar as _ClassVar,
    Iterable as _Iterable,
    Mapping as _Mapping,
    Optional as _Optional,
    Union as _Union,
)

DESCRIPTOR: _descriptor.FileDescriptor

class Phase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRAIN: _ClassVar[Phase]
    TEST: _ClassVar[Phase]

class Engine(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEFAULT: _ClassVar[Engine]
    CAFFE: _ClassVar[Engine]
    CUDNN: _ClassVar[Engine]

TRAIN: Phase
TEST: Phase
DEFAULT: Engine
CAFFE: Engine
CUDNN: Engine

class BlobShape(_message.Message):
    __slots__ = ("dim",)
    DIM_FIELD_NUMBER: _ClassVar[int]
    dim: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, dim: _Optional[_Iterable[int]] = ...) -> None: ...

class Blob(_message.Message):
    __slots__ = (
        "num",
        "channels",
        "height",
        "width",
        "data",
        "shape",
        "double_data",
        "raw_data_type",
        "raw_data",
    )
    NUM_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    DOUBLE_DATA_FIELD_NUMBER: _ClassVar[int]
    RAW_DATA_TYPE_FIELD_NUMBER: _ClassVar[int]
    RAW_DATA_FIELD_NUMBER: _ClassVar[int]
    num: int
    channels: int
    height: int
    width: int
    data: _containers.RepeatedScalarFieldContainer[bytes]
    shape: BlobShape
    double_data: _containers.RepeatedScalarFieldContainer[bytes]
    raw_data_type: int
    raw_data: bytes
    def __init__(
        self,
        num: _Optional[int] = ...,
        channels: _Optional[int] = ...,
        height: _Optional[int] = ...,
        width: _Optional[int] = ...,
        data: _Optional[_Iterable[bytes]] = ...,
        shape: _Optional[_Union[BlobShape, _Mapping]] = ...,
        double_data: _Optional[_Iterable[bytes]] = ...,
        raw_data_type: _Optional[int] = ...,
        raw_data: _Optional[bytes] = ...,
    ) -> None: ...

class LooseBlob(_message.Message):
    __slots__ = ("data", "double_data")
    DATA_FIELD_NUMBER: _ClassVar[int]
    DOUBLE_DATA_FIELD_NUMBER: _ClassVar[int]
    data: _containers.RepeatedScalarFieldContainer[float]
    double_data: _containers.RepeatedScalarFieldContainer[float]
    def __init__(
        self,
        data: _Optional[_Iterable[float]] = ...,
        double_data: _Optional[_Iterable[float]] = ...,
    ) -> None: ...

class V0LayerWeights(_message.Message):
    __slots__ = ("name", "blobs")
    NAME_FIELD_NUMBER: _ClassVar[int]
    BLOBS_FIELD_NUMBER: _ClassVar[int]
    name: str
    blobs: _containers.RepeatedCompositeFieldContainer[Blob]
    def __init__(
        self, name: _Optional[str] = ..., blobs: _Optional[_Iterable[_Union[Blob, _Mapping]]] = ...
    ) -> None: ...

class V1LayerWeights(_message.Message):
    __slots__ = ("layer", "name", "blobs")
    LAYER_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    BLOBS_FIELD_NUMBER: _ClassVar[int]
    layer: V0LayerWeights
    name: str
    blobs: _containers.RepeatedCompositeFieldContainer[Blob]
    def __init__(
        self,
        layer: _Optional[_Union[V0LayerWeights, _Mapping]] = ...,
        name: _Optional[str] = ...,
        blobs: _Optional[_Iterable[_Union[Blob, _Mapping]]] = ...,
    ) -> None: ...

class LayerWeights(_message.Message):
    __slots__ = ("name", "blobs")
    NAME_FIELD_NUMBER: _ClassVar[int]
    BLOBS_FIELD_NUMBER: _ClassVar[int]
    name: str
    blobs: _containers.RepeatedCompositeFieldContainer[Blob]
    def __init__(
        self, name: _Optional[str] = ..., blobs: _Optional[_Iterable[_Union[Blob, _Mapping]]] = ...
    ) -> None: ...

class NetWeights(_message.Message):
    __slots__ = ("name", "layers", "layer")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LAYERS_FIELD_NUMBER: _ClassVar[int]
    LAYER_FIELD_NUMBER: _ClassVar[int]
    name: str
    layers: _containers.RepeatedCompositeFieldContainer[V1LayerWeights]
    layer: _containers.RepeatedCompositeFieldContainer[LayerWeights]
    def __init__(
        self,
        name: _Optional[str] = ...,
        layers: _Optional[_Iterable[_Union[V1LayerWeights, _Mapping]]] = ...,
        layer: _Optional[_Iterable[_Union[LayerWeights, _Mapping]]] = ...,
    ) -> None: ...

class NetState(_message.Message):
    __slots__ = ("phase", "level", "stage")
    PHASE_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    phase: Phase
    level: int
    stage: _containers.RepeatedScalarFieldContainer[str]
    def __init__(
        self,
        phase: _Optional[_Union[Phase, str]] = ...,
        level: _Optional[int] = ...,
        stage: _Optional[_Iterable[str]] = ...,
    ) -> None: ...

class NetStateRule(_message.Message):
    __slots__ = ("phase", "min_level", "max_level", "stage", "not_stage")
    PHASE_FIELD_NUMBER: _ClassVar[int]
    MIN_LEVEL_FIELD_NUMBER: _ClassVar[int]
    MAX_LEVEL_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    NOT_STAGE_FIELD_NUMBER: _ClassVar[int]
    phase: Phase
    min_level: int
    max_level: int
    stage: _containers.RepeatedScalarFieldContainer[str]
    not_stage: _containers.RepeatedScalarFieldContainer[str]
    def __init__(
        self,
        phase: _Optional[_Union[Phase, str]] = ...,
        min_level: _Optional[int] = ...,
        max_level: _Optional[int] = ...,
        stage: _Optional[_Iterable[str]] = ...,
        not_stage: _Optional[_Iterable[str]] = ...,
    ) -> None: ...

class NetHead(_message.Message):
    __slots__ = (
        "name",
        "input",
        "input_dim",
        "force_backward",
        "state",
        "debug_info",
        "input_shape",
    )
    NAME_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    INPUT_DIM_FIELD_NUMBER: _ClassVar[int]
    FORCE_BACKWARD_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DEBUG_INFO_FIELD_NUMBER: _ClassVar[int]
    INPUT_SHAPE_FIELD_NUMBER: _ClassVar[int]
    name: str
    input: _containers.RepeatedScalarFieldContainer[str]
    input_dim: _containers.RepeatedScalarFieldContainer[int]
    force_backward: bool
    state: NetState
    debug_info: bool
    input_shape: _containers.RepeatedCompositeFieldContainer[BlobShape]
    def __init__(
        self,
        name: _Optional[str] = ...,
        input: _Optional[_Iterable[str]] = ...,
        input_dim: _Optional[_Iterable[int]] = ...,
        force_backward: bool = ...,
        state: _Optional[_Union[NetState, _Mapping]] = ...,
        debug_info: bool = ...,
        input_shape: _Optional[_Iterable[_Union[BlobShape, _Mapping]]] = ...,
    ) -> None: ...

class FillerParameter(_message.Message):
    __slots__ = ("type", "value", "min", "max", "mean", "std", "sparse", "variance_norm")
    class VarianceNorm(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        FAN_IN: _ClassVar[FillerParameter.VarianceNorm]
        FAN_OUT: _ClassVar[FillerParameter.VarianceNorm]
        AVERAGE: _ClassVar[FillerParameter.VarianceNorm]

    FAN_IN: FillerParameter.VarianceNorm
    FAN_OUT: FillerParameter.VarianceNorm
    AVERAGE: FillerParameter.VarianceNorm
    TYPE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    MIN_FIELD_NUMBER: _ClassVar[int]
    MAX_FIELD_NUMBER: _ClassVar[int]
    MEAN_FIELD_NUMBER: _ClassVar[int]
    STD_FIELD_NUMBER: _ClassVar[int]
    SPARSE_FIELD_NUMBER: _ClassVar[int]
    VARIANCE_NORM_FIELD_NUMBER: _ClassVar[int]
    type: str
    value: float
    min: float
    max: float
    mean: float
    std: float
    sparse: int
    variance_norm: FillerParameter.VarianceNorm
    def __init__(
        self,
        type: _Optional[str] = ...,
        value: _Optional[float] = ...,
        min: _Optional[float] = ...,
        max: _Optional[float] = ...,
        mean: _Optional[float] = ...,
        std: _Optional[float] = ...,
        sparse: _Optional[int] = ...,
        variance_norm: _Optional[_Union[FillerParameter.VarianceNorm, str]] = ...,
    ) -> None: ...

class ParamSpec(_message.Message):
    __slots__ = ("name", "share_mode", "lr_mult", "decay_mult")
    class DimCheckMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STRICT: _ClassVar[ParamSpec.DimCheckMode]
        PERMISSIVE: _ClassVar[ParamSpec.DimCheckMode]

    STRICT: ParamSpec.DimCheckMode
    PERMISSIVE: ParamSpec.DimCheckMode
    NAME_FIELD_NUMBER: _ClassVar[int]
    SHARE_MODE_FIELD_NUMBER: _ClassVar[int]
    LR_MULT_FIELD_NUMBER: _ClassVar[int]
    DECAY_MULT_FIELD_NUMBER: _ClassVar[int]
    name: str
    share_mode: ParamSpec.DimCheckMode
    lr_mult: float
    decay_mult: float
    def __init__(
        self,
        name: _Optional[str] = ...,
        share_mode: _Optional[_Union[ParamSpec.DimCheckMode, str]] = ...,
        lr_mult: _Optional[float] = ...,
        decay_mult: _Optional[float] = ...,
    ) -> None: ...

class LayerParameter(_message.Message):
    __slots__ = (
        "name",
        "type",
        "bottom",
        "top",
        "loss_weight",
        "param",
        "include",
        "exclude",
        "phase",
        "propagate_down",
        "transform_param",
        "loss_param",
        "accuracy_param",
        "argmax_param",
        "concat_param",
        "convolution_param",
        "data_param",
        "dropout_param",
        "dummy_data_param",
        "eltwise_param",
        "exp_param",
        "inner_product_param",
        "lrn_param",
        "memory_data_param",
        "mvn_param",
        "pooling_param",
        "power_param",
        "relu_param",
        "sigmoid_param",
        "softmax_param",
        "slice_param",
        "tanh_param",
        "threshold_param",
        "prelu_param",
        "reshape_param",
        "log_param",
        "flatten_param",
        "reduction_param",
        "tile_param",
        "batch_norm_param",
        "elu_param",
        "bias_param",
        "scale_param",
        "input_param",
        "crop_param",
        "swish_param",
        "clip_param",
        "permute_param",
        "prior_box_param",
        "detection_output_param",
        "norm_param",
        "normalize_bbox_param",
        "reorg_param",
        "interp_param",
        "upsample_param",
        "shuffle_channel_param",
        "yolo_detection_output_param",
        "yolov3_detection_output_param",
        "relu6_param",
    )
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    BOTTOM_FIELD_NUMBER: _ClassVar[int]
    TOP_FIELD_NUMBER: _ClassVar[int]
    LOSS_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    PARAM_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    PROPAGATE_DOWN_FIELD_NUMBER: _ClassVar[int]
    TRANSFORM_PARAM_FIELD_NUMBER: _ClassVar[int]
    LOSS_PARAM_FIELD_NUMBER: _ClassVar[int]
    ACCURACY_PARAM_FIELD_NUMBER: _ClassVar[int]
    ARGMAX_PARAM_FIELD_NUMBER: _ClassVar[int]
    CONCAT_PARAM_FIELD_NUMBER: _ClassVar[int]
    CONVOLUTION_PARAM_FIELD_NUMBER: _ClassVar[int]
    DATA_PARAM_FIELD_NUMBER: _ClassVar[int]
    DROPOUT_PARAM_FIELD_NUMBER: _ClassVar[int]
    DUMMY_DATA_PARAM_FIELD_NUMBER: _ClassVar[int]
    ELTWISE_PARAM_FIELD_NUMBER: _ClassVar[int]
    EXP_PARAM_FIELD_NUMBER: _ClassVar[int]
    INNER_PRODUCT_PARAM_FIELD_NUMBER: _ClassVar[int]
    LRN_PARAM_FIELD_NUMBER: _ClassVar[int]
    MEMORY_DATA_PARAM_FIELD_NUMBER: _ClassVar[int]
    MVN_PARAM_FIELD_NUMBER: _ClassVar[int]
    POOLING_PARAM_FIELD_NUMBER: _ClassVar[int]
    POWER_PARAM_FIELD_NUMBER: _ClassVar[int]
    RELU_PARAM_FIELD_NUMBER: _ClassVar[int]
    SIGMOID_PARAM_FIELD_NUMBER: _ClassVar[int]
    SOFTMAX_PARAM_FIELD_NUMBER: _ClassVar[int]
    SLICE_PARAM_FIELD_NUMBER: _ClassVar[int]
    TANH_PARAM_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_PARAM_FIELD_NUMBER: _ClassVar[int]
    PRELU_PARAM_FIELD_NUMBER: _ClassVar[int]
    RESHAPE_PARAM_FIELD_NUMBER: _ClassVar[int]
    LOG_PARAM_FIELD_NUMBER: _ClassVar[int]
    FLATTEN_PARAM_FIELD_NUMBER: _ClassVar[int]
    REDUCTION_PARAM_FIELD_NUMBER: _ClassVar[int]
    TILE_PARAM_FIELD_NUMBER: _ClassVar[int]
    BATCH_NORM_PARAM_FIELD_NUMBER: _ClassVar[int]
    ELU_PARAM_FIELD_NUMBER: _ClassVar[int]
    BIAS_PARAM_FIELD_NUMBER: _ClassVar[int]
    SCALE_PARAM_FIELD_NUMBER: _ClassVar[int]
    INPUT_PARAM_FIELD_NUMBER: _ClassVar[int]
    CROP_PARAM_FIELD_NUMBER: _ClassVar[int]
    SWISH_PARAM_FIELD_NUMBER: _ClassVar[int]
    CLIP_PARAM_FIELD_NUMBER: _ClassVar[int]
    PERMUTE_PARAM_FIELD_NUMBER: _ClassVar[int]
    PRIOR_BOX_PARAM_FIELD_NUMBER: _ClassVar[int]
    DETECTION_OUTPUT_PARAM_FIELD_NUMBER: _ClassVar[int]
    NORM_PARAM_FIELD_NUMBER: _ClassVar[int]
    NORMALIZE_BBOX_PARAM_FIELD_NUMBER: _ClassVar[int]
    REORG_PARAM_FIELD_NUMBER: _ClassVar[int]
    INTERP_PARAM_FIELD_NUMBER: _ClassVar[int]
    UPSAMPLE_PARAM_FIELD_NUMBER: _ClassVar[int]
    SHUFFLE_CHANNEL_PARAM_FIELD_NUMBER: _ClassVar[int]
    YOLO_DETECTION_OUTPUT_PARAM_FIELD_NUMBER: _ClassVar[int]
    YOLOV3_DETECTION_OUTPUT_PARAM_FIELD_NUMBER: _ClassVar[int]
    RELU6_PARAM_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: str
    bottom: _containers.RepeatedScalarFieldContainer[str]
    top: _containers.RepeatedScalarFieldContainer[str]
    loss_weight: _containers.RepeatedScalarFieldContainer[float]
    param: _containers.RepeatedCompositeFieldContainer[ParamSpec]
    include: _containers.RepeatedCompositeFieldContainer[NetStateRule]
    exclude: _containers.RepeatedCompositeFieldContainer[NetStateRule]
    phase: Phase
    propagate_down: _containers.RepeatedScalarFieldContainer[bool]
    transform_param: TransformationParameter
    loss_param: LossParameter
    accuracy_param: AccuracyParameter
    argmax_param: ArgMaxParameter
    concat_param: ConcatParameter
    convolution_param: ConvolutionParameter
    data_param: DataParameter
    dropout_param: DropoutParameter
    dummy_data_param: DummyDataParameter
    eltwise_param: EltwiseParameter
    exp_param: ExpParameter
    inner_product_param: InnerProductParameter
    lrn_param: LRNParameter
    memory_data_param: MemoryDataParameter
    mvn_param: MVNParameter
    pooling_param: PoolingParameter
    power_param: PowerParameter
    relu_param: ReLUParameter
    sigmoid_param: EngineParameter
    softmax_param: SoftmaxParameter
    slice_param: SliceParameter
    tanh_param: EngineParameter
    threshold_param: ThresholdParameter
    prelu_param: PReLUParameter
    reshape_param: ReshapeParameter
    log_param: LogParameter
    flatten_param: FlattenParameter
    reduction_param: ReductionParameter
    tile_param: TileParameter
    batch_norm_param: BatchNormParameter
    elu_param: ELUParameter
    bias_param: BiasParameter
    scale_param: ScaleParameter
    input_param: InputParameter
    crop_param: CropParameter
    swish_param: SwishParameter
    clip_param: ClipParameter
    permute_param: PermuteParameter
    prior_box_param: PriorBoxParameter
    detection_output_param: DetectionOutputParameter
    norm_param: NormalizeParameter
    normalize_bbox_param: NormalizeParameter
    reorg_param: ReorgParameter
    interp_param: InterpParameter
    upsample_param: UpsampleParameter
    shuffle_channel_param: ShuffleChannelParameter
    yolo_detection_output_param: YoloDetectionOutputParameter
    yolov3_detection_output_param: Yolov3DetectionOutputParameter
    relu6_param: ReLU6Parameter
    def __init__(
        self,
        name: _Optional[str] = ...,
        type: _Optional[str] = ...,
        bottom: _Optional[_Iterable[str]] = ...,
        top: _Optional[_Iterable[str]] = ...,
        loss_weight: _Optional[_Iterable[float]] = ...,
        param: _Optional[_Iterable[_Union[ParamSpec, _Mapping]]] = ...,
        include: _Optional[_Iterable[_Union[NetStateRule, _Mapping]]] = ...,
        exclude: _Optional[_Iterable[_Union[NetStateRule, _Mapping]]] = ...,
        phase: _Optional[_Union[Phase, str]] = ...,
        propagate_down: _Optional[_Iterable[bool]] = ...,
        transform_param: _Optional[_Union[TransformationParameter, _Mapping]] = ...,
        loss_param: _Optional[_Union[LossParameter, _Mapping]] = ...,
        accuracy_param: _Optional[_Union[AccuracyParameter, _Mapping]] = ...,
        argmax_param: _Optional[_Union[ArgMaxParameter, _Mapping]] = ...,
        concat_param: _Optional[_Union[ConcatParameter, _Mapping]] = ...,
        convolution_param: _Optional[_Union[ConvolutionParameter, _Mapping]] = ...,
        data_param: _Optional[_Union[DataParameter, _Mapping]] = ...,
        dropout_param: _Optional[_Union[DropoutParameter, _Mapping]] = ...,
        dummy_data_param: _Optional[_Union[DummyDataParameter, _Mapping]] = ...,
        eltwise_param: _Optional[_Union[EltwiseParameter, _Mapping]] = ...,
        exp_param: _Optional[_Union[ExpParameter, _Mapping]] = ...,
        inner_product_param: _Optional[_Union[InnerProductParameter, _Mapping]] = ...,
        lrn_param: _Optional[_Union[LRNParameter, _Mapping]] = ...,
        memory_data_param: _Optional[_Union[MemoryDataParameter, _Mapping]] = ...,
        mvn_param: _Optional[_Union[MVNParameter, _Mapping]] = ...,
        pooling_param: _Optional[_Union[PoolingParameter, _Mapping]] = ...,
        power_param: _Optional[_Union[PowerParameter, _Mapping]] = ...,
        relu_param: _Optional[_Union[ReLUParameter, _Mapping]] = ...,
        sigmoid_param: _Optional[_Union[EngineParameter, _Mapping]] = ...,
        softmax_param: _Optional[_Union[SoftmaxParameter, _Mapping]] = ...,
        slice_param: _Optional[_Union[SliceParameter, _Mapping]] = ...,
        tanh_param: _Optional[_Union[EngineParameter, _Mapping]] = ...,
        threshold_param: _Optional[_Union[ThresholdParameter, _Mapping]] = ...,
        prelu_param: _Optional[_Union[PReLUParameter, _Mapping]] = ...,
        reshape_param: _Optional[_Union[ReshapeParameter, _Mapping]] = ...,
        log_param: _Optional[_Union[LogParameter, _Mapping]] = ...,
        flatten_param: _Optional[_Union[FlattenParameter, _Mapping]] = ...,
        reduction_param: _Optional[_Union[ReductionParameter, _Mapping]] = ...,
        tile_param: _Optional[_Union[TileParameter, _Mapping]] = ...,
        batch_norm_param: _Optional[_Union[BatchNormParameter, _Mapping]] = ...,
        elu_param: _Optional[_Union[ELUParameter, _Mapping]] = ...,
        bias_param: _Optional[_Union[BiasParameter, _Mapping]] = ...,
        scale_param: _Optional[_Union[ScaleParameter, _Mapping]] = ...,
        input_param: _Optional[_Union[InputParameter, _Mapping]] = ...,
        crop_param: _Optional[_Union[CropParameter, _Mapping]] = ...,
        swish_param: _Optional[_Union[SwishParameter, _Mapping]] = ...,
        clip_param: _Optional[_Union[ClipParameter, _Mapping]] = ...,
        permute_param: _Optional[_Union[PermuteParameter, _Mapping]] = ...,
        prior_box_param: _Optional[_Union[PriorBoxParameter, _Mapping]] = ...,
        detection_output_param: _Optional[_Union[DetectionOutputParameter, _Mapping]] = ...,
        norm_param: _Optional[_Union[NormalizeParameter, _Mapping]] = ...,
        normalize_bbox_param: _Optional[_Union[NormalizeParameter, _Mapping]] = ...,
        reorg_param: _Optional[_Union[ReorgParameter, _Mapping]] = ...,
        interp_param: _Optional[_Union[InterpParameter, _Mapping]] = ...,
        upsample_param: _Optional[_Union[UpsampleParameter, _Mapping]] = ...,
        shuffle_channel_param: _Optional[_Union[ShuffleChannelParameter, _Mapping]] = ...,
        yolo_detection_output_param: _Optional[
            _Union[YoloDetectionOutputParameter, _Mapping]
        ] = ...,
        yolov3_detection_output_param: _Optional[
            _Union[Yolov3DetectionOutputParameter, _Mapping]
        ] = ...,
        relu6_param: _Optional[_Union[ReLU6Parameter, _Mapping]] = ...,
    ) -> None: ...

class TransformationParameter(_message.Message):
    __slots__ = (
        "scale",
        "mirror",
        "crop_size",
        "mean_file",
        "mean_value",
        "force_color",
        "force_gray",
    )
    SCALE_FIELD_NUMBER: _ClassVar[int]
    MIRROR_FIELD_NUMBER: _ClassVar[int]
    CROP_SIZE_FIELD_NUMBER: _ClassVar[int]
    MEAN_FILE_FIELD_NUMBER: _ClassVar[int]
    MEAN_VALUE_FIELD_NUMBER: _ClassVar[int]
    FORCE_COLOR_FIELD_NUMBER: _ClassVar[int]
    FORCE_GRAY_FIELD_NUMBER: _ClassVar[int]
    scale: float
    mirror: bool
    crop_size: int
    mean_file: str
    mean_value: _containers.RepeatedScalarFieldContainer[float]
    force_color: bool
    force_gray: bool
    def __init__(
        self,
        scale: _Optional[float] = ...,
        mirror: bool = ...,
        crop_size: _Optional[int] = ...,
        mean_file: _Optional[str] = ...,
        mean_value: _Optional[_Iterable[float]] = ...,
        force_color: bool = ...,
        force_gray: bool = ...,
    ) -> None: ...

class LossParameter(_message.Message):
    __slots__ = ("ignore_label", "normalize")
    IGNORE_LABEL_FIELD_NUMBER: _ClassVar[int]
    NORMALIZE_FIELD_NUMBER: _ClassVar[int]
    ignore_label: int
    normalize: bool
    def __init__(self, ignore_label: _Optional[int] = ..., normalize: bool = ...) -> None: ...

class AccuracyParameter(_message.Message):
    __slots__ = ("top_k", "axis", "ignore_label")
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    AXIS_FIELD_NUMBER: _ClassVar[int]
    IGNORE_LABEL_FIELD_NUMBER: _ClassVar[int]
    top_k: int
    axis: int
    ignore_label: int
    def __init__(
        self,
        top_k: _Optional[int] = ...,
        axis: _Optional[int] = ...,
        ignore_label: _Optional[int] = ...,
    ) -> None: ...

class ArgMaxParameter(_message.Message):
    __slots__ = ("out_max_val", "top_k", "axis")
    OUT_MAX_VAL_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    AXIS_FIELD_NUMBER: _ClassVar[int]
    out_max_val: bool
    top_k: int
    axis: int
    def __init__(
        self, out_max_val: bool = ..., top_k: _Optional[int] = ..., axis: _Optional[int] = ...
    ) -> None: ...

class ConcatParameter(_message.Message):
    __slots__ = ("concat_dim", "axis")
    CONCAT_DIM_FIELD_NUMBER: _ClassVar[int]
    AXIS_FIELD_NUMBER: _ClassVar[int]
    concat_dim: int
    axis: int
    def __init__(self, concat_dim: _Optional[int] = ..., axis: _Optional[int] = ...) -> None: ...

class BatchNormParameter(_message.Message):
    __slots__ = ("use_global_stats", "moving_average_fraction", "eps")
    USE_GLOBAL_STATS_FIELD_NUMBER: _ClassVar[int]
    MOVING_AVERAGE_FRACTION_FIELD_NUMBER: _ClassVar[int]
    EPS_FIELD_NUMBER: _ClassVar[int]
    use_global_stats: bool
    moving_average_fraction: float
    eps: float
    def __init__(
        self,
        use_global_stats: bool = ...,
        moving_average_fraction: _Optional[float] = ...,
        eps: _Optional[float] = ...,
    ) -> None: ...

class BiasParameter(_message.Message):
    __slots__ = ("axis", "num_axes", "filler")
    AXIS_FIELD_NUMBER: _ClassVar[int]
    NUM_AXES_FIELD_NUMBER: _ClassVar[int]
    FILLER_FIELD_NUMBER: _ClassVar[int]
    axis: int
    num_axes: int
    filler: FillerParameter
    def __init__(
        self,
        axis: _Optional[int] = ...,
        num_axes: _Optional[int] = ...,
        filler: _Optional[_Union[FillerParameter, _Mapping]] = ...,
    ) -> None: ...

class EngineParameter(_message.Message):
    __slots__ = ("engine",)
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    engine: Engine
    def __init__(self, engine: _Optional[_Union[Engine, str]] = ...) -> None: ...

class ConvolutionParameter(_message.Message):
    __slots__ = (
        "num_output",
        "bias_term",
        "pad",
        "kernel_size",
        "group",
        "stride",
        "weight_filler",
        "bias_filler",
        "pad_h",
        "pad_w",
        "kernel_h",
        "kernel_w",
        "stride_h",
        "stride_w",
        "engine",
        "axis",
        "force_nd_im2col",
        "dilation",
    )
    NUM_OUTPUT_FIELD_NUMBER: _ClassVar[int]
    BIAS_TERM_FIELD_NUMBER: _ClassVar[int]
    PAD_FIELD_NUMBER: _ClassVar[int]
    KERNEL_SIZE_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    STRIDE_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FILLER_FIELD_NUMBER: _ClassVar[int]
    BIAS_FILLER_FIELD_NUMBER: _ClassVar[int]
    PAD_H_FIELD_NUMBER: _ClassVar[int]
    PAD_W_FIELD_NUMBER: _ClassVar[int]
    KERNEL_H_FIELD_NUMBER: _ClassVar[int]
    KERNEL_W_FIELD_NUMBER: _ClassVar[int]
    STRIDE_H_FIELD_NUMBER: _ClassVar[int]
    STRIDE_W_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    AXIS_FIELD_NUMBER: _ClassVar[int]
    FORCE_ND_IM2COL_FIELD_NUMBER: _ClassVar[int]
    DILATION_FIELD_NUMBER: _ClassVar[int]
    num_output: int
    bias_term: bool
    pad: _containers.RepeatedScalarFieldContainer[int]
    kernel_size: _containers.RepeatedScalarFieldContainer[int]
    group: int
    stride: _containers.RepeatedScalarFieldContainer[int]
    weight_filler: FillerParameter
    bias_filler: FillerParameter
    pad_h: int
    pad_w: int
    kernel_h: int
    kernel_w: int
    stride_h: int
    stride_w: int
    engine: Engine
    axis: int
    force_nd_im2col: bool
    dilation: _containers.RepeatedScalarFieldContainer[int]
    def __init__(
        self,
        num_output: _Optional[int] = ...,
        bias_term: bool = ...,
        pad: _Optional[_Iterable[int]] = ...,
        kernel_size: _Optional[_Iterable[int]] = ...,
        group: _Optional[int] = ...,
        stride: _Optional[_Iterable[int]] = ...,
        weight_filler: _Optional[_Union[FillerParameter, _Mapping]] = ...,
        bias_filler: _Optional[_Union[FillerParameter, _Mapping]] = ...,
        pad_h: _Optional[int] = ...,
        pad_w: _Optional[int] = ...,
        kernel_h: _Optional[int] = ...,
        kernel_w: _Optional[int] = ...,
        stride_h: _Optional[int] = ...,
        stride_w: _Optional[int] = ...,
        engine: _Optional[_Union[Engine, str]] = ...,
        axis: _Optional[int] = ...,
        force_nd_im2col: bool = ...,
        dilation: _Optional[_Iterable[int]] = ...,
    ) -> None: ...

class CropParameter(_message.Message):
    __slots__ = ("axis", "offset")
    AXIS_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    axis: int
    offset: _containers.RepeatedScalarFieldContainer[int]
    def __init__(
        self, axis: _Optional[int] = ..., offset: _Optional[_Iterable[int]] = ...
    ) -> None: ...

class DataParameter(_message.Message):
    __slots__ = (
        "source",
        "scale",
        "mean_file",
        "batch_size",
        "crop_size",
        "mirror",
        "rand_skip",
        "backend",
        "force_encoded_color",
        "prefetch",
    )
    class DB(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        LEVELDB: _ClassVar[DataParameter.DB]
        LMDB: _ClassVar[DataParameter.DB]

    LEVELDB: DataParameter.DB
    LMDB: DataParameter.DB
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SCALE_FIELD_NUMBER: _ClassVar[int]
    MEAN_FILE_FIELD_NUMBER: _ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    CROP_SIZE_FIELD_NUMBER: _ClassVar[int]
    MIRROR_FIELD_NUMBER: _ClassVar[int]
    RAND_SKIP_FIELD_NUMBER: _ClassVar[int]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    FORCE_ENCODED_COLOR_FIELD_NUMBER: _ClassVar[int]
    PREFETCH_FIELD_NUMBER: _ClassVar[int]
    source: str
    scale: float
    mean_file: str
    batch_size: int
    crop_size: int
    mirror: bool
    rand_skip: int
    backend: DataParameter.DB
    force_encoded_color: bool
    prefetch: int
    def __init__(
        self,
        source: _Optional[str] = ...,
        scale: _Optional[float] = ...,
        mean_file: _Optional[str] = ...,
        batch_size: _Optional[int] = ...,
        crop_size: _Optional[int] = ...,
        mirror: bool = ...,
        rand_skip: _Optional[int] = ...,
        backend: _Optional[_Union[DataParameter.DB, str]] = ...,
        force_encoded_color: bool = ...,
        prefetch: _Optional[int] = ...,
    ) -> None: ...

class DropoutParameter(_message.Message):
    __slots__ = ("dropout_ratio", "scale_train")
    DROPOUT_RATIO_FIELD_NUMBER: _ClassVar[int]
    SCALE_TRAIN_FIELD_NUMBER: _ClassVar[int]
    dropout_ratio: float
    scale_train: bool
    def __init__(self, dropout_ratio: _Optional[float] = ..., scale_train: bool = ...) -> None: ...

class DummyDataParameter(_message.Message):
    __slots__ = ("data_filler", "num", "channels", "height", "width", "shape")
    DATA_FILLER_FIELD_NUMBER: _ClassVar[int]
    NUM_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    data_filler: _containers.RepeatedCompositeFieldContainer[FillerParameter]
    num: _containers.RepeatedScalarFieldContainer[int]
    channels: _containers.RepeatedScalarFieldContainer[int]
    height: _containers.RepeatedScalarFieldContainer[int]
    width: _containers.RepeatedScalarFieldContainer[int]
    shape: _containers.RepeatedCompositeFieldContainer[BlobShape]
    def __init__(
        self,
        data_filler: _Optional[_Iterable[_Union[FillerParameter, _Mapping]]] = ...,
        num: _Optional[_Iterable[int]] = ...,
        channels: _Optional[_Iterable[int]] = ...,
        height: _Optional[_Iterable[int]] = ...,
        width: _Optional[_Iterable[int]] = ...,
        shape: _Optional[_Iterable[_Union[BlobShape, _Mapping]]] = ...,
    ) -> None: ...

class EltwiseParameter(_message.Message):
    __slots__ = ("operation", "coeff", "stable_prod_grad")
    class EltwiseOp(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        PROD: _ClassVar[EltwiseParameter.EltwiseOp]
        SUM: _ClassVar[EltwiseParameter.EltwiseOp]
        MAX: _ClassVar[EltwiseParameter.EltwiseOp]

    PROD: EltwiseParameter.EltwiseOp
    SUM: EltwiseParameter.EltwiseOp
    MAX: EltwiseParameter.EltwiseOp
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    COEFF_FIELD_NUMBER: _ClassVar[int]
    STABLE_PROD_GRAD_FIELD_NUMBER: _ClassVar[int]
    operation: EltwiseParameter.EltwiseOp
    coeff: _containers.RepeatedScalarFieldContainer[float]
    stable_prod_grad: bool
    def __init__(
        self,
        operation: _Optional[_Union[EltwiseParameter.EltwiseOp, str]] = ...,
        coeff: _Optional[_Iterable[float]] = ...,
        stable_prod_grad: bool = ...,
    ) -> None: ...

class ELUParameter(_message.Message):
    __slots__ = ("alpha",)
    ALPHA_FIELD_NUMBER: _ClassVar[int]
    alpha: float
    def __init__(self, alpha: _Optional[float] = ...) -> None: ...

class ExpParameter(_message.Message):
    __slots__ = ("base", "scale", "shift")
    BASE_FIELD_NUMBER: _ClassVar[int]
    SCALE_FIELD_NUMBER: _ClassVar[int]
    SHIFT_FIELD_NUMBER: _ClassVar[int]
    base: float
    scale: float
    shift: float
    def __init__(
        self,
        base: _Optional[float] = ...,
        scale: _Optional[float] = ...,
        shift: _Optional[float] = ...,
    ) -> None: ...

class LogParameter(_message.Message):
    __slots__ = ("base", "scale", "shift")
    BASE_FIELD_NUMBER: _ClassVar[int]
    SCALE_FIELD_NUMBER: _ClassVar[int]
    SHIFT_FIELD_NUMBER: _ClassVar[int]
    base: float
    scale: float
    shift: float
    def __init__(
        self,
        base: _Optional[float] = ...,
        scale: _Optional[float] = ...,
        shift: _Optional[float] = ...,
    ) -> None: ...

class FlattenParameter(_message.Message):
    __slots__ = ("axis", "end_axis")
    AXIS_FIELD_NUMBER: _ClassVar[int]
    END_AXIS_FIELD_NUMBER: _ClassVar[int]
    axis: int
    end_axis: int
    def __init__(self, axis: _Optional[int] = ..., end_axis: _Optional[int] = ...) -> None: ...

class InnerProductParameter(_message.Message):
    __slots__ = ("num_output", "bias_term", "weight_filler", "bias_filler", "axis", "transpose")
    NUM_OUTPUT_FIELD_NUMBER: _ClassVar[int]
    BIAS_TERM_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FILLER_FIELD_NUMBER: _ClassVar[int]
    BIAS_FILLER_FIELD_NUMBER: _ClassVar[int]
    AXIS_FIELD_NUMBER: _ClassVar[int]
    TRANSPOSE_FIELD_NUMBER: _ClassVar[int]
    num_output: int
    bias_term: bool
    weight_filler: FillerParameter
    bias_filler: FillerParameter
    axis: int
    transpose: bool
    def __init__(
        self,
        num_output: _Optional[int] = ...,
        bias_term: bool = ...,
        weight_filler: _Optional[_Union[FillerParameter, _Mapping]] = ...,
        bias_filler: _Optional[_Union[FillerParameter, _Mapping]] = ...,
        axis: _Optional[int] = ...,
        transpose: bool = ...,
    ) -> None: ...

class InputParameter(_message.Message):
    __slots__ = ("shape",)
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    shape: _containers.RepeatedCompositeFieldContainer[BlobShape]
    def __init__(self, shape: _Optional[_Iterable[_Union[BlobShape, _Mapping]]] = ...) -> None: ...

class LRNParameter(_message.Message):
    __slots__ = ("local_size", "alpha", "beta", "norm_region", "k", "engine")
    class NormRegion(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ACROSS_CHANNELS: _ClassVar[LRNParameter.NormRegion]
        WITHIN_CHANNEL: _ClassVar[LRNParameter.NormRegion]

    ACROSS_CHANNELS: LRNParameter.NormRegion
    WITHIN_CHANNEL: LRNParameter.NormRegion
    LOCAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    ALPHA_FIELD_NUMBER: _ClassVar[int]
    BETA_FIELD_NUMBER: _ClassVar[int]
    NORM_REGION_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    local_size: int
    alpha: float
    beta: float
    norm_region: LRNParameter.NormRegion
    k: float
    engine: Engine
    def __init__(
        self,
        local_size: _Optional[int] = ...,
        alpha: _Optional[float] = ...,
        beta: _Optional[float] = ...,
        norm_region: _Optional[_Union[LRNParameter.NormRegion, str]] = ...,
        k: _Optional[float] = ...,
        engine: _Optional[_Union[Engine, str]] = ...,
    ) -> None: ...

class MemoryDataParameter(_message.Message):
    __slots__ = ("batch_size", "channels", "height", "width")
    BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    batch_size: int
    channels: int
    height: int
    width: int
    def __init__(
        self,
        batch_size: _Optional[int] = ...,
        channels: _Optional[int] = ...,
        height: _Optional[int] = ...,
        width: _Optional[int] = ...,
    ) -> None: ...

class MVNParameter(_message.Message):
    __slots__ = ("normalize_variance", "across_channels", "eps")
    NORMALIZE_VARIANCE_FIELD_NUMBER: _ClassVar[int]
    ACROSS_CHANNELS_FIELD_NUMBER: _ClassVar[int]
    EPS_FIELD_NUMBER: _ClassVar[int]
    normalize_variance: bool
    across_channels: bool
    eps: float
    def __init__(
        self,
        normalize_variance: bool = ...,
        across_channels: bool = ...,
        eps: _Optional[float] = ...,
    ) -> None: ...

class PoolingParameter(_message.Message):
    __slots__ = (
        "pool",
        "kernel_size",
        "stride",
        "pad",
        "kernel_h",
        "kernel_w",
        "stride_h",
        "stride_w",
        "pad_h",
        "pad_w",
        "engine",
        "global_pooling",
        "round_mode",
        "ceil_mode",
    )
    class PoolMethod(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        MAX: _ClassVar[PoolingParameter.PoolMethod]
        AVE: _ClassVar[PoolingParameter.PoolMethod]
        STOCHASTIC: _ClassVar[PoolingParameter.PoolMethod]

    MAX: PoolingParameter.PoolMethod
    AVE: PoolingParameter.PoolMethod
    STOCHASTIC: PoolingParameter.PoolMethod
    class RoundMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        CEIL: _ClassVar[PoolingParameter.RoundMode]
        FLOOR: _ClassVar[PoolingParameter.RoundMode]

    CEIL: PoolingParameter.RoundMode
    FLOOR: PoolingParameter.RoundMode
    POOL_FIELD_NUMBER: _ClassVar[int]
    KERNEL_SIZE_FIELD_NUMBER: _ClassVar[int]
    STRIDE_FIELD_NUMBER: _ClassVar[int]
    PAD_FIELD_NUMBER: _ClassVar[int]
    KERNEL_H_FIELD_NUMBER: _ClassVar[int]
    KERNEL_W_FIELD_NUMBER: _ClassVar[int]
    STRIDE_H_FIELD_NUMBER: _ClassVar[int]
    STRIDE_W_FIELD_NUMBER: _ClassVar[int]
    PAD_H_FIELD_NUMBER: _ClassVar[int]
    PAD_W_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    GLOBAL_POOLING_FIELD_NUMBER: _ClassVar[int]
    ROUND_MODE_FIELD_NUMBER: _ClassVar[int]
    CEIL_MODE_FIELD_NUMBER: _ClassVar[int]
    pool: PoolingParameter.PoolMethod
    kernel_size: int
    stride: int
    pad: int
    kernel_h: int
    kernel_w: int
    stride_h: int
    stride_w: int
    pad_h: int
    pad_w: int
    engine: Engine
    global_pooling: bool
    round_mode: PoolingParameter.RoundMode
    ceil_mode: bool
    def __init__(
        self,
        pool: _Optional[_Union[PoolingParameter.PoolMethod, str]] = ...,
        kernel_size: _Optional[int] = ...,
        stride: _Optional[int] = ...,
        pad: _Optional[int] = ...,
        kernel_h: _Optional[int] = ...,
        kernel_w: _Optional[int] = ...,
        stride_h: _Optional[int] = ...,
        stride_w: _Optional[int] = ...,
        pad_h: _Optional[int] = ...,
        pad_w: _Optional[int] = ...,
        engine: _Optional[_Union[Engine, str]] = ...,
        global_pooling: bool = ...,
        round_mode: _Optional[_Union[PoolingParameter.RoundMode, str]] = ...,
        ceil_mode: bool = ...,
    ) -> None: ...

class PowerParameter(_message.Message):
    __slots__ = ("power", "scale", "shift")
    POWER_FIELD_NUMBER: _ClassVar[int]
    SCALE_FIELD_NUMBER: _ClassVar[int]
    SHIFT_FIELD_NUMBER: _ClassVar[int]
    power: float
    scale: float
    shift: float
    def __init__(
        self,
        power: _Optional[float] = ...,
        scale: _Optional[float] = ...,
        shift: _Optional[float] = ...,
    ) -> None: ...

class PReLUParameter(_message.Message):
    __slots__ = ("filler", "channel_shared")
    FILLER_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_SHARED_FIELD_NUMBER: _ClassVar[int]
    filler: FillerParameter
    channel_shared: bool
    def __init__(
        self, filler: _Optional[_Union[FillerParameter, _Mapping]] = ..., channel_shared: bool = ...
    ) -> None: ...

class ReductionParameter(_message.Message):
    __slots__ = ("operation", "axis", "coeff")
    class ReductionOp(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        SUM: _ClassVar[ReductionParameter.ReductionOp]
        ASUM: _ClassVar[ReductionParameter.ReductionOp]
        SUMSQ: _ClassVar[ReductionParameter.ReductionOp]
        MEAN: _ClassVar[ReductionParameter.ReductionOp]

    SUM: ReductionParameter.ReductionOp
    ASUM: ReductionParameter.ReductionOp
    SUMSQ: ReductionParameter.ReductionOp
    MEAN: ReductionParameter.ReductionOp
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    AXIS_FIELD_NUMBER: _ClassVar[int]
    COEFF_FIELD_NUMBER: _ClassVar[int]
    operation: ReductionParameter.ReductionOp
    axis: int
    coeff: float
    def __init__(
        self,
        operation: _Optional[_Union[ReductionParameter.ReductionOp, str]] = ...,
        axis: _Optional[int] = ...,
        coeff: _Optional[float] = ...,
    ) -> None: ...

class ReLUParameter(_message.Message):
    __slots__ = ("negative_slope", "engine")
    NEGATIVE_SLOPE_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    negative_slope: float
    engine: Engine
    def __init__(
        self, negative_slope: _Optional[float] = ..., engine: _Optional[_Union[Engine, str]] = ...
    ) -> None: ...

class ReshapeParameter(_message.Message):
    __slots__ = ("shape", "axis", "num_axes")
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    AXIS_FIELD_NUMBER: _ClassVar[int]
    NUM_AXES_FIELD_NUMBER: _ClassVar[int]
    shape: BlobShape
    axis: int
    num_axes: int
    def __init__(
        self,
        shape: _Optional[_Union[BlobShape, _Mapping]] = ...,
        axis: _Optional[int] = ...,
        num_axes: _Optional[int] = ...,
    ) -> None: ...

class ScaleParameter(_message.Message):
    __slots__ = ("axis", "num_axes", "filler", "bias_term", "bias_filler")
    AXIS_FIELD_NUMBER: _ClassVar[int]
    NUM_AXES_FIELD_NUMBER: _ClassVar[int]
    FILLER_FIELD_NUMBER: _ClassVar[int]
    BIAS_TERM_FIELD_NUMBER: _ClassVar[int]
    BIAS_FILLER_FIELD_NUMBER: _ClassVar[int]
    axis: int
    num_axes: int
    filler: FillerParameter
    bias_term: bool
    bias_filler: FillerParameter
    def __init__(
        self,
        axis: _Optional[int] = ...,
        num_axes: _Optional[int] = ...,
        filler: _Optional[_Union[FillerParameter, _Mapping]] = ...,
        bias_term: bool = ...,
        bias_filler: _Optional[_Union[FillerParameter, _Mapping]] = ...,
    ) -> None: ...

class SliceParameter(_message.Message):
    __slots__ = ("slice_dim", "slice_point", "axis")
    SLICE_DIM_FIELD_NUMBER: _ClassVar[int]
    SLICE_POINT_FIELD_NUMBER: _ClassVar[int]
    AXIS_FIELD_NUMBER: _ClassVar[int]
    slice_dim: int
    slice_point: _containers.RepeatedScalarFieldContainer[int]
    axis: int
    def __init__(
        self,
        slice_dim: _Optional[int] = ...,
        slice_point: _Optional[_Iterable[int]] = ...,
        axis: _Optional[int] = ...,
    ) -> None: ...

class SoftmaxParameter(_message.Message):
    __slots__ = ("engine", "axis")
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    AXIS_FIELD_NUMBER: _ClassVar[int]
    engine: Engine
    axis: int
    def __init__(
        self, engine: _Optional[_Union[Engine, str]] = ..., axis: _Optional[int] = ...
    ) -> None: ...

class ThresholdParameter(_message.Message):
    __slots__ = ("threshold",)
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    threshold: float
    def __init__(self, threshold: _Optional[float] = ...) -> None: ...

class TileParameter(_message.Message):
    __slots__ = ("axis", "tiles")
    AXIS_FIELD_NUMBER: _ClassVar[int]
    TILES_FIELD_NUMBER: _ClassVar[int]
    axis: int
    tiles: int
    def __init__(self, axis: _Optional[int] = ..., tiles: _Optional[int] = ...) -> None: ...

class SwishParameter(_message.Message):
    __slots__ = ("beta",)
    BETA_FIELD_NUMBER: _ClassVar[int]
    beta: float
    def __init__(self, beta: _Optional[float] = ...) -> None: ...

class ClipParameter(_message.Message):
    __slots__ = ("min", "max")
    MIN_FIELD_NUMBER: _ClassVar[int]
    MAX_FIELD_NUMBER: _ClassVar[int]
    min: float
    max: float
    def __init__(self, min: _Optional[float] = ..., max: _Optional[float] = ...) -> None: ...

class PermuteParameter(_message.Message):
    __slots__ = ("order",)
    ORDER_FIELD_NUMBER: _ClassVar[int]
    order: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, order: _Optional[_Iterable[int]] = ...) -> None: ...

class NormalizeParameter(_message.Message):
    __slots__ = ("across_spatial", "scale_filler", "channel_shared", "eps")
    ACROSS_SPATIAL_FIELD_NUMBER: _ClassVar[int]
    SCALE_FILLER_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_SHARED_FIELD_NUMBER: _ClassVar[int]
    EPS_FIELD_NUMBER: _ClassVar[int]
    across_spatial: bool
    scale_filler: FillerParameter
    channel_shared: bool
    eps: float
    def __init__(
        self,
        across_spatial: bool = ...,
        scale_filler: _Optional[_Union[FillerParameter, _Mapping]] = ...,
        channel_shared: bool = ...,
        eps: _Optional[float] = ...,
    ) -> None: ...

class PriorBoxParameter(_message.Message):
    __slots__ = (
        "min_size",
        "max_size",
        "aspect_ratio",
        "flip",
        "clip",
        "variance",
        "img_size",
        "img_h",
        "img_w",
        "step",
        "step_h",
        "step_w",
        "offset",
    )
    class CodeType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        CORNER: _ClassVar[PriorBoxParameter.CodeType]
        CENTER_SIZE: _ClassVar[PriorBoxParameter.CodeType]
        CORNER_SIZE: _ClassVar[PriorBoxParameter.CodeType]

    CORNER: PriorBoxParameter.CodeType
    CENTER_SIZE: PriorBoxParameter.CodeType
    CORNER_SIZE: PriorBoxParameter.CodeType
    MIN_SIZE_FIELD_NUMBER: _ClassVar[int]
    MAX_SIZE_FIELD_NUMBER: _ClassVar[int]
    ASPECT_RATIO_FIELD_NUMBER: _ClassVar[int]
    FLIP_FIELD_NUMBER: _ClassVar[int]
    CLIP_FIELD_NUMBER: _ClassVar[int]
    VARIANCE_FIELD_NUMBER: _ClassVar[int]
    IMG_SIZE_FIELD_NUMBER: _ClassVar[int]
    IMG_H_FIELD_NUMBER: _ClassVar[int]
    IMG_W_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    STEP_H_FIELD_NUMBER: _ClassVar[int]
    STEP_W_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    min_size: _containers.RepeatedScalarFieldContainer[float]
    max_size: _containers.RepeatedScalarFieldContainer[float]
    aspect_ratio: _containers.RepeatedScalarFieldContainer[float]
    flip: bool
    clip: bool
    variance: _containers.RepeatedScalarFieldContainer[float]
    img_size: int
    img_h: int
    img_w: int
    step: float
    step_h: float
    step_w: float
    offset: float
    def __init__(
        self,
        min_size: _Optional[_Iterable[float]] = ...,
        max_size: _Optional[_Iterable[float]] = ...,
        aspect_ratio: _Optional[_Iterable[float]] = ...,
        flip: bool = ...,
        clip: bool = ...,
        variance: _Optional[_Iterable[float]] = ...,
        img_size: _Optional[int] = ...,
        img_h: _Optional[int] = ...,
        img_w: _Optional[int] = ...,
        step: _Optional[float] = ...,
        step_h: _Optional[float] = ...,
        step_w: _Optional[float] = ...,
        offset: _Optional[float] = ...,
    ) -> None: ...

class NonMaximumSuppressionParameter(_message.Message):
    __slots__ = ("nms_threshold", "top_k", "eta")
    NMS_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    ETA_FIELD_NUMBER: _ClassVar[int]
    nms_threshold: float
    top_k: int
    eta: float
    def __init__(
        self,
        nms_threshold: _Optional[float] = ...,
        top_k: _Optional[int] = ...,
        eta: _Optional[float] = ...,
    ) -> None: ...

class ResizeParameter(_message.Message):
    __slots__ = ("prob", "resize_mode", "height", "width", "interp_mode")
    class Mode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        WARP: _ClassVar[ResizeParameter.Mode]
        FIT_SMALL_SIZE: _ClassVar[ResizeParameter.Mode]
        FIT_LARGE_SIZE_AND_PAD: _ClassVar[ResizeParameter.Mode]

    WARP: ResizeParameter.Mode
    FIT_SMALL_SIZE: ResizeParameter.Mode
    FIT_LARGE_SIZE_AND_PAD: ResizeParameter.Mode
    PROB_FIELD_NUMBER: _ClassVar[int]
    RESIZE_MODE_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    INTERP_MODE_FIELD_NUMBER: _ClassVar[int]
    prob: float
    resize_mode: ResizeParameter.Mode
    height: int
    width: int
    interp_mode: _containers.RepeatedScalarFieldContainer[str]
    def __init__(
        self,
        prob: _Optional[float] = ...,
        resize_mode: _Optional[_Union[ResizeParameter.Mode, str]] = ...,
        height: _Optional[int] = ...,
        width: _Optional[int] = ...,
        interp_mode: _Optional[_Iterable[str]] = ...,
    ) -> None: ...

class SaveOutputParameter(_message.Message):
    __slots__ = (
        "output_directory",
        "output_name_prefix",
        "output_format",
        "label_map_file",
        "name_size_file",
        "num_test_image",
        "resize_param",
    )
    OUTPUT_DIRECTORY_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_NAME_PREFIX_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FORMAT_FIELD_NUMBER: _ClassVar[int]
    LABEL_MAP_FILE_FIELD_NUMBER: _ClassVar[int]
    NAME_SIZE_FILE_FIELD_NUMBER: _ClassVar[int]
    NUM_TEST_IMAGE_FIELD_NUMBER: _ClassVar[int]
    RESIZE_PARAM_FIELD_NUMBER: _ClassVar[int]
    output_directory: str
    output_name_prefix: str
    output_format: str
    label_map_file: str
    name_size_file: str
    num_test_image: int
    resize_param: ResizeParameter
    def __init__(
        self,
        output_directory: _Optional[str] = ...,
        output_name_prefix: _Optional[str] = ...,
        output_format: _Optional[str] = ...,
        label_map_file: _Optional[str] = ...,
        name_size_file: _Optional[str] = ...,
        num_test_image: _Optional[int] = ...,
        resize_param: _Optional[_Union[ResizeParameter, _Mapping]] = ...,
    ) -> None: ...

class DetectionOutputParameter(_message.Message):
    __slots__ = (
        "num_classes",
        "share_location",
        "background_label_id",
        "nms_param",
        "save_output_param",
        "code_type",
        "keep_top_k",
        "variance_encoded_in_target",
        "confidence_threshold",
        "visualize",
        "visualize_threshold",
        "save_file",
    )
    NUM_CLASSES_FIELD_NUMBER: _ClassVar[int]
    SHARE_LOCATION_FIELD_NUMBER: _ClassVar[int]
    BACKGROUND_LABEL_ID_FIELD_NUMBER: _ClassVar[int]
    NMS_PARAM_FIELD_NUMBER: _ClassVar[int]
    SAVE_OUTPUT_PARAM_FIELD_NUMBER: _ClassVar[int]
    CODE_TYPE_FIELD_NUMBER: _ClassVar[int]
    KEEP_TOP_K_FIELD_NUMBER: _ClassVar[int]
    VARIANCE_ENCODED_IN_TARGET_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    VISUALIZE_FIELD_NUMBER: _ClassVar[int]
    VISUALIZE_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    SAVE_FILE_FIELD_NUMBER: _ClassVar[int]
    num_classes: int
    share_location: bool
    background_label_id: int
    nms_param: NonMaximumSuppressionParameter
    save_output_param: SaveOutputParameter
    code_type: PriorBoxParameter.CodeType
    keep_top_k: int
    variance_encoded_in_target: bool
    confidence_threshold: float
    visualize: bool
    visualize_threshold: float
    save_file: str
    def __init__(
        self,
        num_classes: _Optional[int] = ...,
        share_location: bool = ...,
        background_label_id: _Optional[int] = ...,
        nms_param: _Optional[_Union[NonMaximumSuppressionParameter, _Mapping]] = ...,
        save_output_param: _Optional[_Union[SaveOutputParameter, _Mapping]] = ...,
        code_type: _Optional[_Union[PriorBoxParameter.CodeType, str]] = ...,
        keep_top_k: _Optional[int] = ...,
        variance_encoded_in_target: bool = ...,
        confidence_threshold: _Optional[float] = ...,
        visualize: bool = ...,
        visualize_threshold: _Optional[float] = ...,
        save_file: _Optional[str] = ...,
    ) -> None: ...

class ReorgParameter(_message.Message):
    __slots__ = ("stride", "reverse")
    STRIDE_FIELD_NUMBER: _ClassVar[int]
    REVERSE_FIELD_NUMBER: _ClassVar[int]
    stride: int
    reverse: bool
    def __init__(self, stride: _Optional[int] = ..., reverse: bool = ...) -> None: ...

class InterpParameter(_message.Message):
    __slots__ = ("height", "width", "zoom_factor", "shrink_factor", "pad_beg", "pad_end")
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    ZOOM_FACTOR_FIELD_NUMBER: _ClassVar[int]
    SHRINK_FACTOR_FIELD_NUMBER: _ClassVar[int]
    PAD_BEG_FIELD_NUMBER: _ClassVar[int]
    PAD_END_FIELD_NUMBER: _ClassVar[int]
    height: int
    width: int
    zoom_factor: int
    shrink_factor: int
    pad_beg: int
    pad_end: int
    def __init__(
        self,
        height: _Optional[int] = ...,
        width: _Optional[int] = ...,
        zoom_factor: _Optional[int] = ...,
        shrink_factor: _Optional[int] = ...,
        pad_beg: _Optional[int] = ...,
        pad_end: _Optional[int] = ...,
    ) -> None: ...

class UpsampleParameter(_message.Message):
    __slots__ = (
        "scale",
        "scale_h",
        "scale_w",
        "pad_out_h",
        "pad_out_w",
        "upsample_h",
        "upsample_w",
    )
    SCALE_FIELD_NUMBER: _ClassVar[int]
    SCALE_H_FIELD_NUMBER: _ClassVar[int]
    SCALE_W_FIELD_NUMBER: _ClassVar[int]
    PAD_OUT_H_FIELD_NUMBER: _ClassVar[int]
    PAD_OUT_W_FIELD_NUMBER: _ClassVar[int]
    UPSAMPLE_H_FIELD_NUMBER: _ClassVar[int]
    UPSAMPLE_W_FIELD_NUMBER: _ClassVar[int]
    scale: int
    scale_h: int
    scale_w: int
    pad_out_h: bool
    pad_out_w: bool
    upsample_h: int
    upsample_w: int
    def __init__(
        self,
        scale: _Optional[int] = ...,
        scale_h: _Optional[int] = ...,
        scale_w: _Optional[int] = ...,
        pad_out_h: bool = ...,
        pad_out_w: bool = ...,
        upsample_h: _Optional[int] = ...,
        upsample_w: _Optional[int] = ...,
    ) -> None: ...

class ShuffleChannelParameter(_message.Message):
    __slots__ = ("group",)
    GROUP_FIELD_NUMBER: _ClassVar[int]
    group: int
    def __init__(self, group: _Optional[int] = ...) -> None: ...

class ReLU6Parameter(_message.Message):
    __slots__ = ("threshold",)
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    threshold: float
    def __init__(self, threshold: _Optional[float] = ...) -> None: ...

class YoloDetectionOutputParameter(_message.Message):
    __slots__ = (
        "side",
        "num_classes",
        "num_box",
        "coords",
        "confidence_threshold",
        "nms_threshold",
        "biases",
        "label_map_file",
    )
    SIDE_FIELD_NUMBER: _ClassVar[int]
    NUM_CLASSES_FIELD_NUMBER: _ClassVar[int]
    NUM_BOX_FIELD_NUMBER: _ClassVar[int]
    COORDS_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    NMS_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    BIASES_FIELD_NUMBER: _ClassVar[int]
    LABEL_MAP_FILE_FIELD_NUMBER: _ClassVar[int]
    side: int
    num_classes: int
    num_box: int
    coords: int
    confidence_threshold: float
    nms_threshold: float
    biases: _containers.RepeatedScalarFieldContainer[float]
    label_map_file: str
    def __init__(
        self,
        side: _Optional[int] = ...,
        num_classes: _Optional[int] = ...,
        num_box: _Optional[int] = ...,
        coords: _Optional[int] = ...,
        confidence_threshold: _Optional[float] = ...,
        nms_threshold: _Optional[float] = ...,
        biases: _Optional[_Iterable[float]] = ...,
        label_map_file: _Optional[str] = ...,
    ) -> None: ...

class Yolov3DetectionOutputParameter(_message.Message):
    __slots__ = (
        "num_classes",
        "num_box",
        "confidence_threshold",
        "nms_threshold",
        "biases",
        "anchors_scale",
        "mask_group_num",
        "mask",
    )
    NUM_CLASSES_FIELD_NUMBER: _ClassVar[int]
    NUM_BOX_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    NMS_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    BIASES_FIELD_NUMBER: _ClassVar[int]
    ANCHORS_SCALE_FIELD_NUMBER: _ClassVar[int]
    MASK_GROUP_NUM_FIELD_NUMBER: _ClassVar[int]
    MASK_FIELD_NUMBER: _ClassVar[int]
    num_classes: int
    num_box: int
    confidence_threshold: float
    nms_threshold: float
    biases: _containers.RepeatedScalarFieldContainer[float]
    anchors_scale: _containers.RepeatedScalarFieldContainer[int]
    mask_group_num: int
    mask: _containers.RepeatedScalarFieldContainer[int]
    def __init__(
        self,
        num_classes: _Optional[int] = ...,
        num_box: _Optional[int] = ...,
        confidence_threshold: _Optional[float] = ...,
        nms_threshold: _Optional[float] = ...,
        biases: _Optional[_Iterable[float]] = ...,
        anchors_scale: _Optional[_Iterable[int]] = ...,
        mask_group_num: _Optional[int] = ...,
        mask: _Optional[_Iterable[int]] = ...,
    ) -> None: ...

class V1LayerParameter(_message.Message):
    __slots__ = (
        "layer",
        "bottom",
        "top",
        "name",
        "type",
        "blobs_lr",
        "weight_decay",
        "concat_param",
        "convolution_param",
        "data_param",
        "dropout_param",
        "inner_product_param",
        "lrn_param",
        "pooling_param",
        "power_param",
        "memory_data_param",
        "argmax_param",
        "eltwise_param",
        "threshold_param",
        "dummy_data_param",
        "accuracy_param",
        "relu_param",
        "slice_param",
        "include",
        "exclude",
        "mvn_param",
        "loss_weight",
        "transform_param",
        "tanh_param",
        "sigmoid_param",
        "softmax_param",
        "exp_param",
        "loss_param",
        "param",
        "blob_share_mode",
    )
    class LayerType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        NONE: _ClassVar[V1LayerParameter.LayerType]
        ACCURACY: _ClassVar[V1LayerParameter.LayerType]
        BNLL: _ClassVar[V1LayerParameter.LayerType]
        CONCAT: _ClassVar[V1LayerParameter.LayerType]
        CONVOLUTION: _ClassVar[V1LayerParameter.LayerType]
        DATA: _ClassVar[V1LayerParameter.LayerType]
        DROPOUT: _ClassVar[V1LayerParameter.LayerType]
        EUCLIDEAN_LOSS: _ClassVar[V1LayerParameter.LayerType]
        FLATTEN: _ClassVar[V1LayerParameter.LayerType]
        HDF5_DATA: _ClassVar[V1LayerParameter.LayerType]
        HDF5_OUTPUT: _ClassVar[V1LayerParameter.LayerType]
        IM2COL: _ClassVar[V1LayerParameter.LayerType]
        IMAGE_DATA: _ClassVar[V1LayerParameter.LayerType]
        INFOGAIN_LOSS: _ClassVar[V1LayerParameter.LayerType]
        INNER_PRODUCT: _ClassVar[V1LayerParameter.LayerType]
        LRN: _ClassVar[V1LayerParameter.LayerType]
        MULTINOMIAL_LOGISTIC_LOSS: _ClassVar[V1LayerParameter.LayerType]
        POOLING: _ClassVar[V1LayerParameter.LayerType]
        RELU: _ClassVar[V1LayerParameter.LayerType]
        SIGMOID: _ClassVar[V1LayerParameter.LayerType]
        SOFTMAX: _ClassVar[V1LayerParameter.LayerType]
        SOFTMAX_LOSS: _ClassVar[V1LayerParameter.LayerType]
        SPLIT: _ClassVar[V1LayerParameter.LayerType]
        TANH: _ClassVar[V1LayerParameter.LayerType]
        WINDOW_DATA: _ClassVar[V1LayerParameter.LayerType]
        ELTWISE: _ClassVar[V1LayerParameter.LayerType]
        POWER: _ClassVar[V1LayerParameter.LayerType]
        SIGMOID_CROSS_ENTROPY_LOSS: _ClassVar[V1LayerParameter.LayerType]
        HINGE_LOSS: _ClassVar[V1LayerParameter.LayerType]
        MEMORY_DATA: _ClassVar[V1LayerParameter.LayerType]
        ARGMAX: _ClassVar[V1LayerParameter.LayerType]
        THRESHOLD: _ClassVar[V1LayerParameter.LayerType]
        DUMMY_DATA: _ClassVar[V1LayerParameter.LayerType]
        SLICE: _ClassVar[V1LayerParameter.LayerType]
        MVN: _ClassVar[V1LayerParameter.LayerType]
        ABSVAL: _ClassVar[V1LayerParameter.LayerType]
        SILENCE: _ClassVar[V1LayerParameter.LayerType]
        CONTRASTIVE_LOSS: _ClassVar[V1LayerParameter.LayerType]
        EXP: _ClassVar[V1LayerParameter.LayerType]
        DECONVOLUTION: _ClassVar[V1LayerParameter.LayerType]

    NONE: V1LayerParameter.LayerType
    ACCURACY: V1LayerParameter.LayerType
    BNLL: V1LayerParameter.LayerType
    CONCAT: V1LayerParameter.LayerType
    CONVOLUTION: V1LayerParameter.LayerType
    DATA: V1LayerParameter.LayerType
    DROPOUT: V1LayerParameter.LayerType
    EUCLIDEAN_LOSS: V1LayerParameter.LayerType
    FLATTEN: V1LayerParameter.LayerType
    HDF5_DATA: V1LayerParameter.LayerType
    HDF5_OUTPUT: V1LayerParameter.LayerType
    IM2COL: V1LayerParameter.LayerType
    IMAGE_DATA: V1LayerParameter.LayerType
    INFOGAIN_LOSS: V1LayerParameter.LayerType
    INNER_PRODUCT: V1LayerParameter.LayerType
    LRN: V1LayerParameter.LayerType
    MULTINOMIAL_LOGISTIC_LOSS: V1LayerParameter.LayerType
    POOLING: V1LayerParameter.LayerType
    RELU: V1LayerParameter.LayerType
    SIGMOID: V1LayerParameter.LayerType
    SOFTMAX: V1LayerParameter.LayerType
    SOFTMAX_LOSS: V1LayerParameter.LayerType
    SPLIT: V1LayerParameter.LayerType
    TANH: V1LayerParameter.LayerType
    WINDOW_DATA: V1LayerParameter.LayerType
    ELTWISE: V1LayerParameter.LayerType
    POWER: V1LayerParameter.LayerType
    SIGMOID_CROSS_ENTROPY_LOSS: V1LayerParameter.LayerType
    HINGE_LOSS: V1LayerParameter.LayerType
    MEMORY_DATA: V1LayerParameter.LayerType
    ARGMAX: V1LayerParameter.LayerType
    THRESHOLD: V1LayerParameter.LayerType
    DUMMY_DATA: V1LayerParameter.LayerType
    SLICE: V1LayerParameter.LayerType
    MVN: V1LayerParameter.LayerType
    ABSVAL: V1LayerParameter.LayerType
    SILENCE: V1LayerParameter.LayerType
    CONTRASTIVE_LOSS: V1LayerParameter.LayerType
    EXP: V1LayerParameter.LayerType
    DECONVOLUTION: V1LayerParameter.LayerType
    LAYER_FIELD_NUMBER: _ClassVar[int]
    BOTTOM_FIELD_NUMBER: _ClassVar[int]
    TOP_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    BLOBS_LR_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_DECAY_FIELD_NUMBER: _ClassVar[int]
    CONCAT_PARAM_FIELD_NUMBER: _ClassVar[int]
    CONVOLUTION_PARAM_FIELD_NUMBER: _ClassVar[int]
    DATA_PARAM_FIELD_NUMBER: _ClassVar[int]
    DROPOUT_PARAM_FIELD_NUMBER: _ClassVar[int]
    INNER_PRODUCT_PARAM_FIELD_NUMBER: _ClassVar[int]
    LRN_PARAM_FIELD_NUMBER: _ClassVar[int]
    POOLING_PARAM_FIELD_NUMBER: _ClassVar[int]
    POWER_PARAM_FIELD_NUMBER: _ClassVar[int]
    MEMORY_DATA_PARAM_FIELD_NUMBER: _ClassVar[int]
    ARGMAX_PARAM_FIELD_NUMBER: _ClassVar[int]
    ELTWISE_PARAM_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_PARAM_FIELD_NUMBER: _ClassVar[int]
    DUMMY_DATA_PARAM_FIELD_NUMBER: _ClassVar[int]
    ACCURACY_PARAM_FIELD_NUMBER: _ClassVar[int]
    RELU_PARAM_FIELD_NUMBER: _ClassVar[int]
    SLICE_PARAM_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_FIELD_NUMBER: _ClassVar[int]
    MVN_PARAM_FIELD_NUMBER: _ClassVar[int]
    LOSS_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    TRANSFORM_PARAM_FIELD_NUMBER: _ClassVar[int]
    TANH_PARAM_FIELD_NUMBER: _ClassVar[int]
    SIGMOID_PARAM_FIELD_NUMBER: _ClassVar[int]
    SOFTMAX_PARAM_FIELD_NUMBER: _ClassVar[int]
    EXP_PARAM_FIELD_NUMBER: _ClassVar[int]
    LOSS_PARAM_FIELD_NUMBER: _ClassVar[int]
    PARAM_FIELD_NUMBER: _ClassVar[int]
    BLOB_SHARE_MODE_FIELD_NUMBER: _ClassVar[int]
    layer: V0LayerParameter
    bottom: _containers.RepeatedScalarFieldContainer[str]
    top: _containers.RepeatedScalarFieldContainer[str]
    name: str
    type: V1LayerParameter.LayerType
    blobs_lr: _containers.RepeatedScalarFieldContainer[float]
    weight_decay: _containers.RepeatedScalarFieldContainer[float]
    concat_param: ConcatParameter
    convolution_param: ConvolutionParameter
    data_param: DataParameter
    dropout_param: DropoutParameter
    inner_product_param: InnerProductParameter
    lrn_param: LRNParameter
    pooling_param: PoolingParameter
    power_param: PowerParameter
    memory_data_param: MemoryDataParameter
    argmax_param: ArgMaxParameter
    eltwise_param: EltwiseParameter
    threshold_param: ThresholdParameter
    dummy_data_param: DummyDataParameter
    accuracy_param: AccuracyParameter
    relu_param: ReLUParameter
    slice_param: SliceParameter
    include: _containers.RepeatedCompositeFieldContainer[NetStateRule]
    exclude: _containers.RepeatedCompositeFieldContainer[NetStateRule]
    mvn_param: MVNParameter
    loss_weight: _containers.RepeatedScalarFieldContainer[float]
    transform_param: TransformationParameter
    tanh_param: EngineParameter
    sigmoid_param: EngineParameter
    softmax_param: SoftmaxParameter
    exp_param: ExpParameter
    loss_param: LossParameter
    param: _containers.RepeatedScalarFieldContainer[str]
    blob_share_mode: _containers.RepeatedScalarFieldContainer[ParamSpec.DimCheckMode]
    def __init__(
        self,
        layer: _Optional[_Union[V0LayerParameter, _Mapping]] = ...,
        bottom: _Optional[_Iterable[str]] = ...,
        top: _Optional[_Iterable[str]] = ...,
        name: _Optional[str] = ...,
        type: _Optional[_Union[V1LayerParameter.LayerType, str]] = ...,
        blobs_lr: _Optional[_Iterable[float]] = ...,
        weight_decay: _Optional[_Iterable[float]] = ...,
        concat_param: _Optional[_Union[ConcatParameter, _Mapping]] = ...,
        convolution_param: _Optional[_Union[ConvolutionParameter, _Mapping]] = ...,
        data_param: _Optional[_Union[DataParameter, _Mapping]] = ...,
        dropout_param: _Optional[_Union[DropoutParameter, _Mapping]] = ...,
        inner_product_param: _Optional[_Union[InnerProductParameter, _Mapping]] = ...,
        lrn_param: _Optional[_Union[LRNParameter, _Mapping]] = ...,
        pooling_param: _Optional[_Union[PoolingParameter, _Mapping]] = ...,
        power_param: _Optional[_Union[PowerParameter, _Mapping]] = ...,
        memory_data_param: _Optional[_Union[MemoryDataParameter, _Mapping]] = ...,
        argmax_param: _Optional[_Union[ArgMaxParameter, _Mapping]] = ...,
        eltwise_param: _Optional[_Union[EltwiseParameter, _Mapping]] = ...,
        threshold_param: _Optional[_Union[ThresholdParameter, _Mapping]] = ...,
        dummy_data_param: _Optional[_Union[DummyDataParameter, _Mapping]] = ...,
        accuracy_param: _Optional[_Union[AccuracyParameter, _Mapping]] = ...,
        relu_param: _Optional[_Union[ReLUParameter, _Mapping]] = ...,
        slice_param: _Optional[_Union[SliceParameter, _Mapping]] = ...,
        include: _Optional[_Iterable[_Union[NetStateRule, _Mapping]]] = ...,
        exclude: _Optional[_Iterable[_Union[NetStateRule, _Mapping]]] = ...,
        mvn_param: _Optional[_Union[MVNParameter, _Mapping]] = ...,
        loss_weight: _Optional[_Iterable[float]] = ...,
        transform_param: _Optional[_Union[TransformationParameter, _Mapping]] = ...,
        tanh_param: _Optional[_Union[EngineParameter, _Mapping]] = ...,
        sigmoid_param: _Optional[_Union[EngineParameter, _Mapping]] = ...,
        softmax_param: _Optional[_Union[SoftmaxParameter, _Mapping]] = ...,
        exp_param: _Optional[_Union[ExpParameter, _Mapping]] = ...,
        loss_param: _Optional[_Union[LossParameter, _Mapping]] = ...,
        param: _Optional[_Iterable[str]] = ...,
        blob_share_mode: _Optional[_Iterable[_Union[ParamSpec.DimCheckMode, str]]] = ...,
    ) -> None: ...

class V0LayerParameter(_message.Message):
    __slots__ = (
        "name",
        "type",
        "num_output",
        "biasterm",
        "weight_filler",
        "bias_filler",
        "pad",
        "kernelsize",
        "group",
        "stride",
        "pool",
        "dropout_ratio",
        "local_size",
        "alpha",
        "beta",
        "source",
        "scale",
        "meanfile",
        "batchsize",
        "cropsize",
        "mirror",
        "k",
        "blobs_lr",
        "weight_decay",
        "rand_skip",
        "new_num",
        "new_channels",
        "new_height",
        "new_width",
        "concat_dim",
    )
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    NUM_OUTPUT_FIELD_NUMBER: _ClassVar[int]
    BIASTERM_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FILLER_FIELD_NUMBER: _ClassVar[int]
    BIAS_FILLER_FIELD_NUMBER: _ClassVar[int]
    PAD_FIELD_NUMBER: _ClassVar[int]
    KERNELSIZE_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    STRIDE_FIELD_NUMBER: _ClassVar[int]
    POOL_FIELD_NUMBER: _ClassVar[int]
    DROPOUT_RATIO_FIELD_NUMBER: _ClassVar[int]
    LOCAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    ALPHA_FIELD_NUMBER: _ClassVar[int]
    BETA_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SCALE_FIELD_NUMBER: _ClassVar[int]
    MEANFILE_FIELD_NUMBER: _ClassVar[int]
    BATCHSIZE_FIELD_NUMBER: _ClassVar[int]
    CROPSIZE_FIELD_NUMBER: _ClassVar[int]
    MIRROR_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    BLOBS_LR_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_DECAY_FIELD_NUMBER: _ClassVar[int]
    RAND_SKIP_FIELD_NUMBER: _ClassVar[int]
    NEW_NUM_FIELD_NUMBER: _ClassVar[int]
    NEW_CHANNELS_FIELD_NUMBER: _ClassVar[int]
    NEW_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    NEW_WIDTH_FIELD_NUMBER: _ClassVar[int]
    CONCAT_DIM_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: str
    num_output: int
    biasterm: bool
    weight_filler: FillerParameter
    bias_filler: FillerParameter
    pad: int
    kernelsize: int
    group: int
    stride: int
    pool: PoolingParameter.PoolMethod
    dropout_ratio: float
    local_size: int
    alpha: float
    beta: float
    source: str
    scale: float
    meanfile: str
    batchsize: int
    cropsize: int
    mirror: bool
    k: float
    blobs_lr: _containers.RepeatedScalarFieldContainer[float]
    weight_decay: _containers.RepeatedScalarFieldContainer[float]
    rand_skip: int
    new_num: int
    new_channels: int
    new_height: int
    new_width: int
    concat_dim: int
    def __init__(
        self,
        name: _Optional[str] = ...,
        type: _Optional[str] = ...,
        num_output: _Optional[int] = ...,
        biasterm: bool = ...,
        weight_filler: _Optional[_Union[FillerParameter, _Mapping]] = ...,
        bias_filler: _Optional[_Union[FillerParameter, _Mapping]] = ...,
        pad: _Optional[int] = ...,
        kernelsize: _Optional[int] = ...,
        group: _Optional[int] = ...,
        stride: _Optional[int] = ...,
        pool: _Optional[_Union[PoolingParameter.PoolMethod, str]] = ...,
        dropout_ratio: _Optional[float] = ...,
        local_size: _Optional[int] = ...,
        alpha: _Optional[float] = ...,
        beta: _Optional[float] = ...,
        source: _Optional[str] = ...,
        scale: _Optional[float] = ...,
        meanfile: _Optional[str] = ...,
        batchsize: _Optional[int] = ...,
        cropsize: _Optional[int] = ...,
        mirror: bool = ...,
        k: _Optional[float] = ...,
        blobs_lr: _Optional[_Iterable[float]] = ...,
        weight_decay: _Optional[_Iterable[float]] = ...,
        rand_skip: _Optional[int] = ...,
        new_num: _Optional[int] = ...,
        new_channels: _Optional[int] = ...,
        new_height: _Optional[int] = ...,
        new_width: _Optional[int] = ...,
        concat_dim: _Optional[int] = ...,
    ) -> None: ...
