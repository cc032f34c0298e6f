"""Operators of ONNX's experimental years against ONNX Runtime's own implementation of them."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnxruntime
import pytest

from counterpoint.errors import EngineError, ModelFileError
from counterpoint.network.loading import load
from tests.engine_runs import random_frame, relative_error, run_whole
from tests.onnx_models import loaded, model, operators
from tests.shared_data import require

BIAS = "bias=[1.0,-2.0,0.5,4.0]"


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("y = Affine<alpha=2.5, beta=-1.0>(x)", [("Mul", "Add")]),
        ("y = Affine<alpha=2.5, beta=0.0>(x)", [("Mul", "Add")]),
        (f"y = ImageScaler<scale=0.5, {BIAS}>(x)", [("Mul", "Add")]),
        ("y = Crop<border=[1,2,3,0]>(x)", [("Slice",)]),
        ("y = Crop<border=[0,0,0,0]>(x)", [("Slice",)]),
        ("y = Crop<border=[1,2,0,0], scale=[3,2]>(x)", [("Slice",)]),
    ],
)
@pytest.mark.parametrize("opset", [7, 9])
def test_one_operator(tmp_path: Path, opset: int, body: str, wanted: list[tuple[str, ...]]) -> None:
    made = model(body, opset=opset)
    network = loaded(made, tmp_path)
    assert [op for layer in operators(network) for op in layer] == [op for o in wanted for op in o]
    frame = random_frame(network)
    session = onnxruntime.InferenceSession(
        made.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    outputs = session.run(None, frame)
    assert network.outputs[0].shape == outputs[0].shape
    assert relative_error(run_whole(network, frame), outputs) < 1e-6


def test_scale(tmp_path: Path) -> None:
    """ONNX Runtime has no such operator."""
    network = loaded(model("y = Scale<scale=3.0>(x)", opset=7), tmp_path)
    frame = random_frame(network)
    assert relative_error(run_whole(network, frame), [frame["x"] * 3]) < 1e-6


def test_the_original_file_and_ours_agree() -> None:
    """Style transfer with Affine, Crop and ImageScaler."""
    path = require("models/misc/candy_style_transfer.onnx")
    network = load(path)
    found = {node.op_type for node in onnx.load(path).graph.node}
    legacy = found & {"Affine", "Crop", "ImageScaler"}
    assert len(legacy) == 3
    assert not legacy.intersection(op for layer in operators(network) for op in layer)
    frame = random_frame(network, scale=60)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    wanted = session.run(None, frame)
    assert wanted[0].shape == network.outputs[0].shape
    assert relative_error(run_whole(network, frame), wanted) < 1e-4


@pytest.mark.parametrize(
    "body",
    [
        "y = Crop(x)",
        "y = Crop<border=[1,2]>(x)",
        "y = Crop<border=[1,1,1,1], scale=[1,2,3]>(x)",
        "y = ImageScaler<scale=0.5>(x)",
        "y = Affine<alpha=2.5, beta=-1.0>()",
    ],
)
def test_broken_ones_are_refused(tmp_path: Path, body: str) -> None:
    with pytest.raises(ModelFileError) as caught:
        loaded(model(body, opset=7), tmp_path)
    assert len(str(caught.value).splitlines()) == 1


def test_newer_files_do_not_have_them(tmp_path: Path) -> None:
    """ONNX's checker lets them pass; engines do not, and say which operator it is."""
    network = loaded(model("y = Crop<border=[1,1,1,1]>(x)", opset=11), tmp_path)
    assert operators(network) == [("Crop",)]
    with pytest.raises(EngineError, match="Crop"):
        run_whole(network, random_frame(network))


def test_other_domains_are_left_alone(tmp_path: Path) -> None:
    made = model("y = mine.Crop<border=[1,1,1,1]>(x)", opset=7, imports={"mine": 1})
    assert operators(loaded(made, tmp_path)) == [("mine:Crop",)]
