"""Weights in files beside the model: read where they are, refused where they must not be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto

from counterpoint.errors import ModelFileError
from counterpoint.network.loading import load
from tests.engine_runs import random_frame, relative_error, run_whole
from tests.onnx_models import kernel, model, saved

W = kernel(32)


def convolution() -> ModelProto:
    return model("y = Conv<pads=[1,1,1,1]>(x, w)", w=W)


def outside(made: ModelProto, **where: str) -> ModelProto:
    """The model with its weight said to be there."""
    tensor = made.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    del tensor.external_data[:]
    for key, value in where.items():
        tensor.external_data.add(key=key, value=value)
    return made


def refusal(made: ModelProto, folder: Path) -> str:
    path = saved(made, folder)
    with pytest.raises(ModelFileError) as caught:
        load(path)
    line = str(caught.value)
    assert len(line.splitlines()) == 1
    assert "'w'" in line
    return line


def test_as_onnx_writes_it(tmp_path: Path) -> None:
    inline = load(saved(convolution(), tmp_path, "inline"))
    path = tmp_path / "model.onnx"
    onnx.save_model(
        convolution(), path, save_as_external_data=True, location="model.data", size_threshold=0
    )
    assert (tmp_path / "model.data").stat().st_size >= W.nbytes
    network = load(path)
    frame = random_frame(network)
    assert relative_error(run_whole(network, frame), run_whole(inline, frame)) == 0
    assert network.content_hash == inline.content_hash


def test_small_constants_outside_are_read_too(tmp_path: Path) -> None:
    """Shape arithmetic needs their values before any engine sees them."""
    made = model("y = Reshape(x, s)", s=np.array([2, -1], np.int64))
    path = tmp_path / "model.onnx"
    onnx.save_model(made, path, save_as_external_data=True, location="d", size_threshold=0)
    assert onnx.load(path, load_external_data=False).graph.initializer[0].external_data
    assert load(path).outputs[0].shape == (2, 72)


def test_constant_nodes_outside_are_read_too(tmp_path: Path) -> None:
    made = model("y = Conv<pads=[1,1,1,1]>(x, w)")
    constant = onnx.helper.make_node("Constant", [], ["w"], value=onnx.numpy_helper.from_array(W))
    nodes = [constant, *made.graph.node]
    del made.graph.node[:]
    made.graph.node.extend(nodes)
    inline = load(saved(made, tmp_path, "inline"))
    path = tmp_path / "model.onnx"
    onnx.save_model(
        made,
        path,
        save_as_external_data=True,
        location="d",
        size_threshold=0,
        convert_attribute=True,
    )
    frame = random_frame(inline)
    assert relative_error(run_whole(load(path), frame), run_whole(inline, frame)) == 0


def test_offset_and_subfolder(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "w.bin").write_bytes(b"x" * 100 + W.tobytes() + b"y")
    made = outside(convolution(), location="deep/er/w.bin", offset="100", length=str(W.nbytes))
    network = load(saved(made, tmp_path))
    inline = load(saved(convolution(), tmp_path, "inline"))
    frame = random_frame(network)
    assert relative_error(run_whole(network, frame), run_whole(inline, frame)) == 0


def test_link_within_the_folder(tmp_path: Path) -> None:
    (tmp_path / "real.bin").write_bytes(W.tobytes())
    (tmp_path / "link.bin").symlink_to("real.bin")
    assert load(saved(outside(convolution(), location="link.bin"), tmp_path)).weight_bytes


@pytest.mark.parametrize("kind", ["parent", "absolute", "link", "folder link", "windows", "empty"])
def test_files_elsewhere_are_refused(tmp_path: Path, kind: str) -> None:
    secret = tmp_path / "secret.bin"
    secret.write_bytes(W.tobytes())
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file.link").symlink_to(secret)
    (folder / "folder.link").symlink_to(tmp_path)
    location = {
        "parent": "../secret.bin",
        "absolute": str(secret),
        "link": "file.link",
        "folder link": "folder.link/secret.bin",
        "windows": "..\\secret.bin",
        "empty": "",
    }[kind]
    line = refusal(outside(convolution(), location=location), folder)
    assert "outside the model's folder; refused" in line


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ({"location": "missing.bin"}, "missing beside the model"),
        ({"location": "."}, "missing beside the model"),
        ({"location": "w.bin", "offset": "1"}, "the file is truncated"),
        ({"location": "w.bin", "offset": "999999999999999999"}, "the file is truncated"),
        ({"location": "w.bin", "offset": "9" * 40}, "is no number"),
        ({"location": "w.bin", "offset": "-1"}, "is no number"),
        ({"location": "w.bin", "offset": "٣"}, "is no number"),
        ({"location": "w.bin", "length": "12"}, "needs 4608 bytes, its external data are 12"),
        ({"location": "w.bin", "length": "99999999"}, "needs 4608 bytes"),
        ({"location": "n" * 5000}, "cannot be read"),
        ({"location": "circle"}, "'circle'"),
        ({"location": "nul\0"}, "outside"),
        ({}, "outside"),
    ],
)
def test_wrong_places(tmp_path: Path, where: dict[str, str], told: str) -> None:
    (tmp_path / "w.bin").write_bytes(W.tobytes())
    (tmp_path / "circle").symlink_to("circle")
    assert told in refusal(outside(convolution(), **where), tmp_path)


def test_short_file(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(W.tobytes()[:-1])
    line = refusal(outside(convolution(), location="w.bin"), tmp_path)
    assert f"ends at byte {W.nbytes} of w.bin, which has {W.nbytes - 1}" in line


def test_a_shape_larger_than_any_file(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(W.tobytes())
    made = outside(convolution(), location="w.bin")
    made.graph.initializer[0].dims[0] = 1 << 40
    assert "truncated" in refusal(made, tmp_path)


def test_empty_tensor(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(b"")
    made = model("y = Concat<axis=0>(x, w)", w=np.zeros((0, 4, 6, 6), np.float32))
    assert load(saved(outside(made, location="w.bin"), tmp_path)).outputs[0].shape == (1, 4, 6, 6)


@pytest.mark.parametrize("where", ["sub-graph", "attribute"])
def test_tensors_inside_nodes_may_not_be_outside(tmp_path: Path, where: str) -> None:
    """Engines would look for them beside their own file, by their own rules."""
    (tmp_path / "w.bin").write_bytes(W.tobytes())
    if where == "attribute":
        made = model("k = ConstantOfShape<value=float[1]{2.0}>(s) y = Mul(x, k)", s=np.array([600]))
        tensor = made.graph.node[0].attribute[0].t
    else:
        made = model(
            "y = If(c)<then_branch = t () => (float[1,4,6,6] o) { o = Relu(x) },"
            "else_branch = e () => (float[1,4,6,6] p) { p = Tanh(x) }>",
            inputs="float[1,4,6,6] x, bool c",
        )
        tensor = made.graph.node[0].attribute[0].g.initializer.add()
        tensor.name, tensor.data_type = "inner", TensorProto.FLOAT
        tensor.dims.extend(W.shape)
    tensor.ClearField("float_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="w.bin")
    with pytest.raises(ModelFileError, match="only initialisers of the main graph"):
        load(saved(made, tmp_path))
