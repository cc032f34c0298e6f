"""Reading ONNX files: operator sets, input shapes, what is folded, names, and clear refusals."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from counterpoint.engines.registry import all_engines
from counterpoint.errors import EngineError, ModelFileError
from counterpoint.network.graph import Network, TensorSpec
from counterpoint.network.loading import load
from counterpoint.network.onnx_file import OLDEST_OPSET
from tests.engine_runs import CPU, random_frame, relative_error, run_whole
from tests.onnx_models import kernel, loaded, model, operators, saved
from tests.shared_data import require

NEWEST_OPSET = onnx.defs.onnx_opset_version()

DYNAMIC = "float[N,4,H,W] x"
RESHAPE = (
    "shape = Shape(x) first = Gather<axis=0>(shape, zero) "
    "batch = Unsqueeze(first, axes) target = Concat<axis=0>(batch, rest) y = Reshape(x, target)"
)
RESHAPE_CONSTANTS: dict[str, Any] = {
    "zero": np.array(0, np.int64),
    "axes": np.array([0], np.int64),
    "rest": np.array([-1], np.int64),
}


def shapes(network: Network) -> list[tuple[int, ...] | None]:
    return [spec.shape for spec in (*network.inputs, *network.outputs)]


def message(made: ModelProto | bytes, folder: Path) -> str:
    """The one line that a file is refused with; it begins with the file's name."""
    path = folder / "model.onnx"
    path.write_bytes(made if isinstance(made, bytes) else made.SerializeToString())
    with pytest.raises(ModelFileError) as caught:
        load(path)
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert len(line.splitlines()) == 1
    return line.removeprefix(f"{path}: ")


@pytest.mark.parametrize("opset", range(OLDEST_OPSET, NEWEST_OPSET + 1))
def test_every_operator_set(tmp_path: Path, opset: int) -> None:
    made = model(
        "a = Conv<pads=[1,1,1,1]>(x, w) b = Relu(a) c = MaxPool<kernel_shape=[2,2]>(b) "
        "d = Flatten(c) y = Gemm(d, m, v)",
        opset=opset,
        w=kernel(),
        m=np.ones((100, 3), np.float32) / 100,
        v=np.zeros(3, np.float32),
    )
    network = loaded(made, tmp_path)
    assert operators(network) == [("Conv", "Relu"), ("MaxPool", "Flatten"), ("Gemm",)]
    assert network.outputs == (TensorSpec("y", "float32", (1, 3)),)
    frame = random_frame(network)
    wanted = run_whole(network, frame, "reference")
    try:
        outputs = run_whole(network, frame)
    except EngineError as error:  # an engine may know fewer operator sets than the onnx package
        assert f"Opset {opset} is under development" in str(error)
        assert opset > OLDEST_OPSET + 10
    else:
        assert relative_error(outputs, wanted) < 1e-5


@pytest.mark.parametrize(
    ("opset", "reason"),
    [(OLDEST_OPSET - 1, "older"), (NEWEST_OPSET + 1, "newer"), (-3, "no operator set")],
)
def test_other_operator_sets_are_refused(tmp_path: Path, opset: int, reason: str) -> None:
    made = model("y = Relu(x)")
    made.opset_import[0].version = opset
    told = message(made, tmp_path)
    assert reason in told
    assert str(opset) in told


def test_default_domain_by_its_long_name(tmp_path: Path) -> None:
    made = model("y = Relu(x)")
    made.opset_import[0].domain = made.graph.node[0].domain = "ai.onnx"
    assert operators(loaded(made, tmp_path)) == [("Relu",)]


class TestInputShapes:
    def test_open_batch_is_one_unless_asked_for(self, tmp_path: Path) -> None:
        made = model("y = Relu(x)", inputs="float[N,4,6,6] x")
        assert shapes(loaded(made, tmp_path)) == [(1, 4, 6, 6)] * 2
        assert shapes(loaded(made, tmp_path, batch=3)) == [(3, 4, 6, 6)] * 2

    def test_fixed_batch_is_kept_unless_asked_for(self, tmp_path: Path) -> None:
        made = model("y = Relu(x)", inputs="float[2,4,6,6] x")
        assert shapes(loaded(made, tmp_path)) == [(2, 4, 6, 6)] * 2
        assert shapes(loaded(made, tmp_path, batch=5)) == [(5, 4, 6, 6)] * 2

    def test_whole_shapes_by_name(self, tmp_path: Path) -> None:
        path = saved(model("y = Relu(x)", inputs=DYNAMIC), tmp_path)
        network = load(path, input_shapes={"x": (2, 4, 5, 7)})
        assert shapes(network) == [(2, 4, 5, 7)] * 2
        network = load(path, batch=9, input_shapes={"x": (2, 4, 5, 7)})
        assert shapes(network) == [(2, 4, 5, 7)] * 2

    def test_input_without_any_shape(self, tmp_path: Path) -> None:
        made = model("y = Relu(x)")
        made.graph.input[0].type.tensor_type.ClearField("shape")
        assert "leaves dimensions open (all)" in message(made, tmp_path)
        network = load(tmp_path / "model.onnx", input_shapes={"x": (2, 3)})
        assert shapes(network) == [(2, 3)] * 2

    def test_scalar_input(self, tmp_path: Path) -> None:
        made = model("y = Mul(x, s)", inputs="float[1,4,6,6] x, float s")
        network = loaded(made, tmp_path, batch=2)
        assert shapes(network) == [(2, 4, 6, 6), (), (2, 4, 6, 6)]

    def test_open_dimensions_are_named_with_the_way_out(self, tmp_path: Path) -> None:
        told = message(model("y = Relu(x)", inputs=DYNAMIC), tmp_path)
        assert "'x' leaves dimensions open (H, W)" in told
        assert "--shape x=" in told

    @pytest.mark.parametrize(
        ("wanted", "told"),
        [
            ({"z": (1, 2)}, "no input is called 'z'; there are: x"),
            ({"x": (1, 2)}, "has 4 dimensions, the shape asked for has 2"),
            ({"x": (1, 4, 0, 6)}, "cannot have the shape 1x4x0x6"),
            ({"x": (1, 4, 1 << 62, 6)}, "cannot have the shape"),
            ({"x": (1 << 30, 4, 6, 6)}, "no machine has that room"),
        ],
    )
    def test_shapes_that_do_not_fit(
        self, tmp_path: Path, wanted: dict[str, tuple[int, ...]], told: str
    ) -> None:
        path = saved(model("y = Relu(x)", inputs=DYNAMIC), tmp_path)
        with pytest.raises(ModelFileError) as caught:
            load(path, input_shapes=wanted)
        assert told in str(caught.value)

    @pytest.mark.parametrize("batch", [0, -1])
    def test_batch_below_one(self, tmp_path: Path, batch: int) -> None:
        with pytest.raises(ModelFileError, match="below 1"):
            loaded(model("y = Relu(x)"), tmp_path, batch=batch)

    def test_batch_that_the_network_cannot_take(self, tmp_path: Path) -> None:
        made = model("y = Reshape(x, s)", s=np.array([1, -1, 36], np.int64))
        assert shapes(loaded(made, tmp_path, batch=2))[1] == (1, 8, 36)
        made = model("y = Reshape(x, s)", s=np.array([4, 36], np.int64))
        with pytest.raises(ModelFileError, match="check --shape and the batch size"):
            loaded(made, tmp_path, batch=2)

    def test_outputs_declared_for_another_batch(self, tmp_path: Path) -> None:
        made = model("y = Relu(x)")
        made.graph.output[0].CopyFrom(
            helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 4, 6, 6))
        )
        assert shapes(loaded(made, tmp_path, batch=4)) == [(4, 4, 6, 6)] * 2


class TestFolding:
    def test_shape_arithmetic_is_gone(self, tmp_path: Path) -> None:
        made = model(RESHAPE, inputs=DYNAMIC.replace("H,W", "6,6"), **RESHAPE_CONSTANTS)
        network = loaded(made, tmp_path, batch=2)
        assert operators(network) == [("Reshape",)]
        assert network.layers[0].inputs == ("x",)
        assert shapes(network) == [(2, 4, 6, 6), (2, 144)]

    def test_chains_of_any_depth(self, tmp_path: Path) -> None:
        """Each reshape's target follows from the shape that the one before it made."""
        steps = []
        for index in range(30):
            source = "x" if index == 0 else f"r{index - 1}"
            steps.append(
                f"s{index} = Shape({source}) t{index} = Mul(s{index}, ones) "
                f"r{index} = Reshape({source}, t{index})"
            )
        made = model(
            " ".join(steps) + " y = Relu(r29)", ones=np.ones(4, np.int64), inputs="float[N,4,6,6] x"
        )
        network = loaded(made, tmp_path)
        assert operators(network)[-1][-1] == "Relu"
        assert len(network.layers) <= 30
        assert shapes(network) == [(1, 4, 6, 6)] * 2

    @pytest.mark.parametrize(
        ("bounds", "wanted"), [("", [1, 4, 6, 6]), ("start=1", [4, 6, 6]), ("end=-1", [1, 4, 6])]
    )
    def test_parts_of_shapes(self, tmp_path: Path, bounds: str, wanted: list[int]) -> None:
        given = f"<{bounds}>" if bounds else ""
        made = model(
            f"s = Shape{given}(x) f = Cast<to=1>(s) m = ReduceSum<keepdims=0>(x) y = Add(f, m)"
        )
        network = loaded(made, tmp_path)
        frame = random_frame(network)
        (result,) = run_whole(network, frame)
        assert np.allclose(result, np.array(wanted) + frame["x"].sum(), rtol=1e-4)
        assert all("Shape" not in operator for operator in operators(network))

    def test_quantised_weights_stay_quantised(self, tmp_path: Path) -> None:
        made = model(
            "k = DequantizeLinear(w, s, z) y = Mul(x, k)",
            w=np.ones((4, 1, 1), np.int8),
            s=np.array(0.5, np.float32),
            z=np.array(0, np.int8),
        )
        network = loaded(made, tmp_path)
        assert len(network.layers[0].nodes) == 2

    def test_large_constants_are_left_to_the_engines(self, tmp_path: Path) -> None:
        made = model("k = ConstantOfShape(s) y = Mul(x, k)", s=np.array([1, 4, 6, 6], np.int64))
        small = loaded(made, tmp_path)
        made = model(
            "k = ConstantOfShape(s) y = Mul(x, k)", s=np.array([2000, 1, 4, 6, 6], np.int64)
        )
        large = loaded(made, tmp_path)
        assert len(large.layers[0].nodes) == 2
        assert large.layers[0].weight_bytes == 2000 * 4 * 36 * 4
        assert small.layers[0].weight_bytes == 4 * 36 * 4

    def test_operators_that_are_no_arithmetic_are_never_computed(self, tmp_path: Path) -> None:
        """A constant convolution can ask for any room on its way to a small result."""
        made = model(
            "k = Conv<dilations=[1000000,1000000], pads=[500000,500000,500000,500000]>(c, w) "
            "y = Add(x, k)",
            c=np.ones((1, 1, 1, 1), np.float32),
            w=np.ones((1, 1, 2, 2), np.float32),
        )
        assert len(loaded(made, tmp_path).layers[0].nodes) == 2

    def test_dead_nodes_and_weights_are_dropped(self, tmp_path: Path) -> None:
        made = model("y = Relu(x) dead = Mul(x, w)", w=kernel())
        network = loaded(made, tmp_path)
        assert operators(network) == [("Relu",)]
        assert not onnx.load(network.whole().onnx_path()).graph.initializer


class TestNames:
    def test_nodes_without_names_get_one(self, tmp_path: Path) -> None:
        network = loaded(model("a = Relu(x) y = Tanh(a)"), tmp_path)
        assert [layer.name for layer in network.layers] == ["a", "y"]

    def test_equal_names_are_told_apart(self, tmp_path: Path) -> None:
        made = model("a = Relu(x) b = Tanh(a) y = Sin(b)")
        for node in made.graph.node:
            node.name = "same"
        names = [layer.name for layer in loaded(made, tmp_path).layers]
        assert names == ["same", "same.2", "same.3"]

    def test_name_of_the_network(self, tmp_path: Path) -> None:
        assert load(saved(model("y = Relu(x)"), tmp_path, "some.net")).name == "some.net"


@pytest.mark.parametrize(
    "dtype", ["float16", "float64", "int8", "uint8", "int32", "int64", "bool", "bfloat16"]
)
def test_element_types_of_inputs(tmp_path: Path, dtype: str) -> None:
    written = {"float32": "float", "float64": "double"}.get(dtype, dtype)
    made = model("y = Identity(x)", inputs=f"{written}[1,4] x", outputs=f"{written} y")
    network = loaded(made, tmp_path)
    assert {spec.dtype for spec in (*network.inputs, *network.outputs)} == {dtype}


@pytest.mark.parametrize(
    "kind", [TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT4, TensorProto.BFLOAT16]
)
@pytest.mark.parametrize("raw", [True, False])
def test_weights_raw_and_typed(tmp_path: Path, kind: int, raw: bool) -> None:
    values = [float(value % 8) for value in range(4096)]
    made = model("k = Cast<to=1>(w) y = Mul(x, k)", inputs="float[1,4096] x", opset=21)
    if raw:
        dtype = helper.tensor_dtype_to_np_dtype(kind)
        weight = numpy_helper.from_array(np.array(values).astype(dtype), "w")
    else:
        weight = helper.make_tensor("w", kind, [4096], values)
    made.graph.initializer.append(weight)
    network = loaded(made, tmp_path)
    frame = random_frame(network)
    (result,) = run_whole(network, frame)
    assert np.allclose(result, np.multiply(frame["x"], values), rtol=1e-3)


def test_constant_nodes_of_every_form(tmp_path: Path) -> None:
    made = model(
        "a = Constant<value_float=2.0>() b = Constant<value_floats=[1.0,2.0,3.0,4.0]>() "
        "c = Constant<value_int=1>() d = Constant<value_ints=[1,4,1,1]>() "
        "e = Constant<value=float[1]{0.5}>() "
        "r = Reshape(b, d) f = Cast<to=1>(c) g = Mul(x, a) h = Mul(g, r) i = Add(h, f) "
        "y = Mul(i, e)"
    )
    network = loaded(made, tmp_path)
    frame = random_frame(network)
    scale = np.arange(1, 5, dtype=np.float32).reshape(1, 4, 1, 1)
    (result,) = run_whole(network, frame)
    assert np.allclose(result, (frame["x"] * 2 * scale + 1) * 0.5, rtol=1e-5)


def test_initialisers_that_are_also_inputs(tmp_path: Path) -> None:
    """Files before IR version 4 list their weights among the inputs."""
    made = model("y = Conv<pads=[1,1,1,1]>(x, w)", w=kernel())
    made.ir_version = 3
    made.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, (4, 4, 3, 3)))
    assert [spec.name for spec in loaded(made, tmp_path).inputs] == ["x"]


class TestRefusals:
    def test_cycle(self, tmp_path: Path) -> None:
        made = model("a = Add(x, b) b = Relu(a) y = Tanh(b)")
        assert "cycle" in message(made, tmp_path)

    def test_missing_tensor(self, tmp_path: Path) -> None:
        told = message(model("a = Relu(x) y = Add(a, nowhere)"), tmp_path)
        assert "'nowhere', which nobody makes" in told

    def test_missing_output(self, tmp_path: Path) -> None:
        told = message(model("a = Relu(x)", outputs="float a, float nowhere"), tmp_path)
        assert "'nowhere' does not depend on any input" in told

    def test_constant_output(self, tmp_path: Path) -> None:
        told = message(model("a = Relu(x) y = Neg(w)", w=kernel()), tmp_path)
        assert "every node is a constant" in told

    def test_tensor_made_twice(self, tmp_path: Path) -> None:
        assert "made by two nodes" in message(model("y = Relu(x) y = Tanh(x)"), tmp_path)

    def test_tensor_made_twice_by_one_node(self, tmp_path: Path) -> None:
        assert "'a' is there twice" in message(
            model("a, a = Split<axis=1>(x) y = Relu(a)"), tmp_path
        )

    def test_input_that_a_node_makes(self, tmp_path: Path) -> None:
        told = message(model("x = Relu(y)", outputs="float x"), tmp_path)
        assert "'x' is an input or constant and made by a node" in told

    @pytest.mark.parametrize("kind", ["input", "output", "initializer"])
    def test_names_that_stand_twice(self, tmp_path: Path, kind: str) -> None:
        made = model("y = Conv(x, w)", w=kernel())
        values = getattr(made.graph, kind)
        values.append(values[0])
        assert "is there twice" in message(made, tmp_path)

    def test_no_outputs(self, tmp_path: Path) -> None:
        made = model("y = Relu(x)")
        del made.graph.output[:]
        assert "returns nothing" in message(made, tmp_path)

    def test_operator_that_does_not_exist(self, tmp_path: Path) -> None:
        told = message(model("y = Frobnicate(x)"), tmp_path)
        assert "'y'" in told
        assert "Frobnicate" in told

    def test_operator_newer_than_its_operator_set(self, tmp_path: Path) -> None:
        assert "Gelu" in message(model("y = Gelu(x)", opset=13), tmp_path)

    def test_wrong_number_of_inputs(self, tmp_path: Path) -> None:
        assert "input size 2" in message(model("y = Relu(x, x)"), tmp_path)

    def test_domain_that_is_not_imported(self, tmp_path: Path) -> None:
        assert "'elsewhere'" in message(model("y = elsewhere.Foo(x)"), tmp_path)

    def test_shapes_that_do_not_fit_together(self, tmp_path: Path) -> None:
        told = message(model("c = Concat<axis=0>(x, w) y = Relu(c)", w=kernel()), tmp_path)
        assert "do not fit together at node 'c' (Concat)" in told

    def test_input_that_is_no_tensor(self, tmp_path: Path) -> None:
        made = model("y = SequenceLength(x)", inputs="seq(float[1]) x", outputs="int64 y")
        assert "'x' is no tensor" in message(made, tmp_path)

    def test_names_with_control_characters(self, tmp_path: Path) -> None:
        made = model("y = Relu(x)")
        made.graph.node[0].name = "a\x1b[31mred"
        assert "control characters" in message(made, tmp_path)

    def test_sparse_weights(self, tmp_path: Path) -> None:
        made = model("y = Relu(x)")
        made.graph.sparse_initializer.add()
        assert "sparse" in message(made, tmp_path)

    def test_element_type_that_nobody_knows(self, tmp_path: Path) -> None:
        made = model("y = Mul(x, w)", w=kernel())
        made.graph.initializer[0].data_type = 99
        assert "element type that is not supported (99)" in message(made, tmp_path)

    def test_paths_that_are_no_file(self, tmp_path: Path) -> None:
        for path, told in (
            (tmp_path / "missing.onnx", "no such file"),
            (tmp_path, "folder"),
            (Path("/dev/zero"), "no such file"),
            (tmp_path / ("n" * 300), "cannot be read"),
            (tmp_path / "nul\0.onnx", "no such file"),
        ):
            with pytest.raises(ModelFileError, match=told):
                load(path)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_file_without_permission(self, tmp_path: Path) -> None:
        path = saved(model("y = Relu(x)"), tmp_path)
        path.chmod(0)
        with pytest.raises(ModelFileError, match="Permission denied"):
            load(path)


def test_extension_operators_are_named_by_every_engine() -> None:
    path = require("models/misc/superresolution_needs_extension_ops.onnx")
    network = load(path)
    first = network.layers[0]
    assert first.operators == ("com.microsoft.extensions:DecodeImage",)
    for engine in all_engines().values():
        for unit in engine.units([CPU]):
            reason = engine.unsupported_reason(first, unit)
            assert reason is not None
            assert "DecodeImage" in reason
