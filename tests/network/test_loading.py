"""Which reader a name leads to, and which options fit it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from counterpoint.errors import ModelFileError
from counterpoint.network.graph import Network
from counterpoint.network.loading import load
from tests.cli.models import classifier

PROTOTXT = """
input: "data" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8
layer { name: "c" type: "Convolution" bottom: "data" top: "c"
  convolution_param { num_output: 4 kernel_size: 3 bias_term: false } }
layer { name: "n" type: "BatchNorm" bottom: "c" top: "n" }
layer { name: "p" type: "Pooling" bottom: "n" top: "p" pooling_param { kernel_size: 2 } }
"""

CFG = """
[net]
width=8
height=8
channels=3
[convolutional]
batch_normalize=1
filters=4
size=3
activation=linear
[maxpool]
size=2
stride=2
"""


@pytest.fixture
def models(tmp_path: Path) -> Path:
    (tmp_path / "net.prototxt").write_text(PROTOTXT, encoding="utf-8")
    (tmp_path / "NET.PROTOTXT").write_text(PROTOTXT, encoding="utf-8")
    (tmp_path / "net.cfg").write_text(CFG, encoding="utf-8")
    (tmp_path / "net.onnx").write_bytes(classifier())
    (tmp_path / "net").write_bytes(classifier())
    return tmp_path


def operators(network: Network) -> list[str]:
    return [operator for layer in network.layers for operator in layer.operators]


@pytest.mark.parametrize("name", ["net.prototxt", "NET.PROTOTXT", "net.cfg"])
def test_an_architecture_gets_seeded_weights_when_a_seed_is_given(models: Path, name: str) -> None:
    path = models / name
    made = load(path, seed=0)
    assert made.name == path.stem
    assert operators(made)[:2] == ["Conv", "MaxPool"]
    assert load(str(path), seed=0).content_hash == made.content_hash
    assert load(path, seed=1).content_hash != made.content_hash


@pytest.mark.parametrize("name", ["net.prototxt", "net.cfg"])
def test_an_architecture_alone_asks_for_weights_or_a_seed(models: Path, name: str) -> None:
    with pytest.raises(ModelFileError, match=r"--weights .* --seed"):
        load(models / name)


@pytest.mark.parametrize("name", ["net.prototxt", "net.cfg"])
def test_batch_shapes_and_batchnorm_reach_the_reader(models: Path, name: str) -> None:
    path = models / name
    assert load(path, seed=0, batch=3).inputs[0].shape == (3, 3, 8, 8)
    given = load(path, seed=0, input_shapes={"data": (2, 3, 16, 16)})
    assert given.inputs[0].shape == (2, 3, 16, 16)
    assert "Conv" in operators(load(path, seed=0, keep_batchnorm=True))
    assert len(operators(load(path, seed=0, keep_batchnorm=True))) > 2


@pytest.mark.parametrize("name", ["net.onnx", "net"])
def test_every_other_file_is_read_as_onnx(models: Path, name: str) -> None:
    assert load(models / name).outputs[0].name == "scores"


def test_the_zoo_takes_seed_0_unless_told(models: Path) -> None:
    default = load("zoo:squeezenet_v1.1")
    assert default.content_hash == load("zoo:squeezenet_v1.1", seed=0).content_hash
    assert default.content_hash != load("zoo:squeezenet_v1.1", seed=1).content_hash


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("net.caffemodel", {}, r"name the \.prototxt .* --weights .*net\.caffemodel"),
        ("net.weights", {}, r"name the \.cfg .* --weights .*net\.weights"),
        ("net.caffemodel", {"weights": "net.prototxt"}, r"name the \.prototxt"),
        ("net.onnx", {"weights": "net.caffemodel"}, r"--weights is for \.prototxt and \.cfg"),
        ("zoo:alexnet", {"weights": "net.caffemodel"}, r"--weights is for \.prototxt and \.cfg"),
        ("net.onnx", {"seed": 0}, "--seed"),
        ("net.onnx", {"keep_batchnorm": True}, "--keep-batchnorm"),
        ("net.prototxt", {"weights": "w", "seed": 1}, "exclude each other"),
        ("net.cfg", {"batch": 0}, "below 1"),
        ("missing.prototxt", {"seed": 1}, "missing.prototxt"),
        ("missing.cfg", {"seed": 1}, "missing.cfg"),
        ("net.prototxt", {"weights": "missing.caffemodel"}, "missing.caffemodel"),
        ("net.cfg", {"weights": "missing.weights"}, "missing.weights"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(
    models: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    options: dict[str, Any],
    says: str,
) -> None:
    monkeypatch.chdir(models)
    with pytest.raises(ModelFileError, match=says) as refusal:
        load(name, **options)
    assert "\n" not in str(refusal.value)
