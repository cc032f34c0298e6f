"""An ONNX model under construction: nodes, constants and weights in, a shape-checked model out."""

from collections.abc import Sequence
from typing import Any

import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8

INPUT = "input"
OUTPUT = "output"


class ModelDraft:
    """Appends nodes in execution order and fills in every intermediate shape at the end.

    Invariant: a weight (from outside, perhaps without its bytes) is in the graph's initializers
    and, by type and shape alone, in ``_weight_infos``; a constant (an operator's parameter, such
    as the bounds of a Clip) is in the initializers and in ``_constants``, with its bytes.
    """

    def __init__(self, name: str) -> None:
        self._model = _model_of(helper.make_graph([], name, [], []))
        self._weight_infos: list[onnx.ValueInfoProto] = []
        self._constants: list[TensorProto] = []

    def add_input(self, shape: Sequence[int]) -> None:
        """Declare the float32 input ``input``."""
        self._model.graph.input.append(
            helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, shape)
        )

    def add_weight(self, weight: TensorProto) -> None:
        """Append an initializer whose bytes may lie elsewhere."""
        self._model.graph.initializer.append(weight)
        self._weight_infos.append(
            helper.make_tensor_value_info(weight.name, weight.data_type, weight.dims)
        )

    def add_constant(self, name: str, value: NDArray[Any]) -> None:
        """Append an initializer that is part of an operator's definition, bytes included."""
        constant = numpy_helper.from_array(value, name)
        self._model.graph.initializer.append(constant)
        self._constants.append(constant)

    def add_node(self, op_type: str, name: str, inputs: Sequence[str], **attributes: Any) -> None:
        """Append a node whose one output carries the node's name."""
        self._model.graph.node.append(
            helper.make_node(op_type, inputs, [name], name=name, **attributes)
        )

    def finish(self, shape: Sequence[int]) -> onnx.ModelProto:
        """Make the last node's result the output ``output``, of that shape, and hand out the model.

        Raises:
            onnx.shape_inference.InferenceError: The graph contradicts itself or ``shape``.
        """
        graph = self._model.graph
        graph.node[-1].output[0] = OUTPUT
        graph.output.append(helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, shape))
        graph.value_info.extend(self._inferred_infos())
        return self._model

    def _inferred_infos(self) -> list[onnx.ValueInfoProto]:
        # Inference serialises the model, so the weights, of which only the shapes matter, enter
        # as inputs: VGG16's 553 MB would otherwise be copied twice.
        graph = self._model.graph
        skeleton = helper.make_graph(
            graph.node,
            graph.name,
            [*graph.input, *self._weight_infos],
            graph.output,
            self._constants,
        )
        inferred = onnx.shape_inference.infer_shapes(
            _model_of(skeleton), check_type=True, strict_mode=True, data_prop=True
        )
        return list(inferred.graph.value_info)


def _model_of(graph: onnx.GraphProto) -> onnx.ModelProto:
    return helper.make_model(
        graph,
        producer_name="counterpoint",
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
    )
