"""What is written is checked, complete, and the same network when it is read again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from counterpoint.errors import MachineError, ModelFileError
from counterpoint.network.graph import Network
from counterpoint.network.loading import load
from counterpoint.network.onnx_export import write_model
from tests.cli.models import classifier
from tests.network.every_layer import CFG, PROTOTXT
from tests.shared_data import require


def outputs(path: Path) -> list[Any]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (value,) = session.get_inputs()
    shape = [size if isinstance(size, int) else 1 for size in value.shape]
    frame = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    return list(session.run(None, {value.name: frame}))


@pytest.fixture
def network(tmp_path: Path) -> Network:
    """Its kernels are larger than what always stays inside a model."""
    path = tmp_path / "given.onnx"
    path.write_bytes(classifier(seed=3))
    return load(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "out"
    made.mkdir()
    return made


def assert_same(again: Network, network: Network) -> None:
    assert again.inputs == network.inputs
    assert again.outputs == network.outputs
    assert again.layers == network.layers
    assert again.tensors == network.tensors


@pytest.mark.parametrize("largest_bytes", [1 << 31, 2000])
def test_the_file_is_the_same_network(network: Network, folder: Path, largest_bytes: int) -> None:
    path = folder / "net.onnx"
    written = write_model(network, path, largest_bytes=largest_bytes)
    files = [file for file in (written.path, written.data_path) if file is not None]
    assert sorted(folder.iterdir()) == sorted(files)
    assert len(files) == (1 if largest_bytes > 2000 else 2)
    assert written.size_bytes == sum(file.stat().st_size for file in files)
    onnx.checker.check_model(path, full_check=True)
    assert_same(load(path), network)
    for ours, given in zip(outputs(path), outputs(network.whole().onnx_path()), strict=True):
        assert np.array_equal(ours, given)
    again = folder / "again.onnx"
    write_model(load(path), again)
    assert load(again).content_hash == load(path).content_hash


def test_values_are_written_as_protobuf_would(network: Network, folder: Path) -> None:
    write_model(network, folder / "outside.onnx", largest_bytes=0)
    write_model(network, folder / "inside.onnx")
    given = onnx.load(folder / "outside.onnx")  # onnx takes the values in
    for tensor in given.graph.initializer:
        tensor.ClearField("data_location")
    data = (folder / "inside.onnx").read_bytes()
    assert onnx.ModelProto.FromString(data) == given
    assert len(data) == given.ByteSize()


@pytest.mark.parametrize(
    ("suffix", "name"),
    [
        *((".prototxt", name) for name in PROTOTXT if name != "older form"),  # silences something
        *((".cfg", name) for name in CFG),
    ],
)
def test_plans_for_what_was_converted_stay_valid(folder: Path, suffix: str, name: str) -> None:
    path = folder / f"net{suffix}"
    path.write_text((PROTOTXT if suffix == ".prototxt" else CFG)[name], encoding="utf-8")
    given = load(path, seed=0)
    write_model(given, folder / "net.onnx")
    again = load(folder / "net.onnx")
    assert again.content_hash == given.content_hash
    assert again.layers == given.layers


def test_a_model_that_just_fits_keeps_its_weights(network: Network, folder: Path) -> None:
    size = write_model(network, folder / "net.onnx").size_bytes
    below = write_model(network, folder / "below.onnx", largest_bytes=size - 1)
    assert below.data_path is not None
    roomy = write_model(network, folder / "roomy.onnx", largest_bytes=2 * size)
    assert roomy.data_path is None


def test_weights_of_another_network_beside_it_stay(
    network: Network, folder: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.onnx"
    other.write_bytes(classifier(seed=4))
    path = folder / "net.onnx"
    first = write_model(network, path, largest_bytes=0)
    second = write_model(load(other), path, largest_bytes=0)
    assert first.data_path != second.data_path
    assert len(list(folder.iterdir())) == 3
    assert np.array_equal(outputs(path)[0], outputs(other)[0])


def test_what_the_checker_refuses_changes_nothing(
    network: Network, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "net.onnx"
    path.write_text("as it was", encoding="utf-8")

    def refuse(*_: object, **__: object) -> None:
        raise onnx.checker.ValidationError("no such\n\noperator")

    monkeypatch.setattr(onnx.checker, "check_model", refuse)
    with pytest.raises(ModelFileError, match="refuses it: no such operator"):
        write_model(network, path, largest_bytes=0)
    assert path.read_text(encoding="utf-8") == "as it was"
    assert list(folder.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_an_error_of_the_machine(
    network: Network, folder: Path
) -> None:
    with pytest.raises(MachineError, match="cannot write"):
        write_model(network, folder / "none" / "net.onnx")
    with pytest.raises(MachineError, match="no ordinary file"):
        write_model(network, folder)
    assert list(folder.iterdir()) == []


def of_one_node(path: Path, node: onnx.NodeProto, element: int) -> Network:
    """A network of ``x`` to ``y``, of which its file does not say the shape."""
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Relu", ["x"], ["r"]), node],
        "small",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [2, 3])],
        [onnx.helper.make_tensor_value_info("y", element, None)],
    )
    opsets = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("com.microsoft", 1)]
    model = onnx.helper.make_model(graph, ir_version=8, opset_imports=opsets)
    path.write_bytes(model.SerializeToString())
    return load(path)


def test_an_output_whose_size_the_frame_decides(folder: Path, tmp_path: Path) -> None:
    node = onnx.helper.make_node("NonZero", ["r"], ["y"])
    network = of_one_node(tmp_path / "given.onnx", node, onnx.TensorProto.INT64)
    write_model(network, folder / "net.onnx")
    (output,) = onnx.load(folder / "net.onnx").graph.output
    first, second = output.type.tensor_type.shape.dim
    assert first.dim_value == 2
    assert not second.HasField("dim_value")
    assert np.array_equal(outputs(folder / "net.onnx")[0], outputs(tmp_path / "given.onnx")[0])


def test_an_output_of_unknown_rank_is_refused(folder: Path, tmp_path: Path) -> None:
    node = onnx.helper.make_node("Warp", ["r"], ["y"], domain="com.microsoft")
    network = of_one_node(tmp_path / "given.onnx", node, onnx.TensorProto.FLOAT)
    with pytest.raises(ModelFileError, match="how many dimensions output 'y' has"):
        write_model(network, folder / "net.onnx")
    assert list(folder.iterdir()) == []


def test_a_link_stays_a_link(network: Network, folder: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.onnx"
    link.symlink_to(folder / "net.onnx")
    write_model(network, link)
    assert link.is_symlink()
    assert_same(load(folder / "net.onnx"), network)


def test_a_builder_of_the_zoo(folder: Path) -> None:
    built = load("zoo:squeezenet_v1.1")
    write_model(built, folder / "net.onnx")
    assert_same(load(folder / "net.onnx"), built)


def test_an_int8_network(folder: Path) -> None:
    given = require("models/mobilenet_v2/mobilenet_v2_int8.onnx")
    write_model(load(given), folder / "net.onnx")
    assert np.array_equal(outputs(folder / "net.onnx")[0], outputs(given)[0])
