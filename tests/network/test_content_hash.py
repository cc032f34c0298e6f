"""What makes two networks the same, and two layers alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from counterpoint.network.graph import Network
from counterpoint.network.loading import load
from counterpoint.tuning.subject import subject_of
from tests.onnx_models import kernel, loaded, model, saved

W = kernel(32)


def convolution(**options: str) -> str:
    attributes = {"pads": "[1,1,1,1]", **options}
    written = ", ".join(f"{key}={value}" for key, value in attributes.items())
    return f"y = Conv<{written}>(x, w)"


def network(folder: Path, body: str = convolution(), **weights: Any) -> Network:
    return loaded(model(body, **(weights or {"w": W})), folder)


def test_same_file_elsewhere_under_another_name(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    here = load(saved(model(convolution(), w=W), tmp_path, "one"))
    there = load(saved(model(convolution(), w=W), tmp_path / "other", "two"))
    assert here.content_hash == there.content_hash


@pytest.mark.parametrize("size", [4, 32])
def test_another_weight(tmp_path: Path, size: int) -> None:
    """Whether it stays inside the model or goes to the weight file."""
    one, other = kernel(size), kernel(size)
    other.flat[-1] += 1e-3
    assert network(tmp_path, w=one).content_hash != network(tmp_path, w=other).content_hash


def test_another_attribute_or_shape(tmp_path: Path) -> None:
    made = model(convolution(), w=W, inputs="float[N,4,6,6] x")
    hashes = {
        network(tmp_path).content_hash,
        network(tmp_path, convolution(strides="[2,2]")).content_hash,
        loaded(made, tmp_path, batch=2).content_hash,
    }
    assert len(hashes) == 3


def test_weights_swapped_between_layers(tmp_path: Path) -> None:
    body = "a = Conv<pads=[1,1,1,1]>(x, v) y = Conv<pads=[1,1,1,1]>(a, w)"
    v, w = kernel(seed=1), kernel(seed=2)
    one, other = network(tmp_path, body, v=v, w=w), network(tmp_path, body, v=w, w=v)
    assert one.content_hash != other.content_hash


def test_what_nobody_reads_does_not_count_for_layers(tmp_path: Path) -> None:
    documented = model(convolution(), w=W)
    documented.doc_string = "made on a Tuesday"
    documented.producer_name = "somebody"
    assert loaded(documented, tmp_path).content_hash == network(tmp_path).content_hash


def subjects(made: Network) -> list[str]:
    return [subject_of(made.subnetwork([layer.index])) for layer in made.layers]


def test_equal_layers_share_their_signature_and_subject(tmp_path: Path) -> None:
    body = "a = Conv<pads=[1,1,1,1]>(x, v) y = Conv<pads=[1,1,1,1]>(a, w)"
    made = network(tmp_path, body, v=kernel(seed=1), w=kernel(seed=2))
    first, second = made.layers
    assert first.signature == second.signature
    assert len(set(subjects(made))) == 1
    renamed = body.replace("a =", "b =").replace("(a", "(b")
    again = network(tmp_path, renamed, v=kernel(seed=3), w=kernel(seed=4))
    assert again.layers[0].signature == first.signature
    assert subjects(again) == subjects(made)


@pytest.mark.parametrize(
    "changed",
    [
        {"strides": "[2,2]"},
        {"pads": "[2,2,2,2]"},
        {"dilations": "[2,2]"},
        {"pads": "[1,1,1,1]", "auto_pad": '"NOTSET"', "strides": "[1,2]"},
    ],
)
def test_layers_of_other_attributes_differ(tmp_path: Path, changed: dict[str, str]) -> None:
    plain = network(tmp_path)
    other = network(tmp_path, convolution(**changed))
    assert other.layers[0].signature != plain.layers[0].signature
    assert subjects(other) != subjects(plain)


def test_layers_of_other_shapes_or_types_differ(tmp_path: Path) -> None:
    plain = network(tmp_path)
    wider = network(tmp_path, w=kernel(33))
    larger = loaded(model(convolution(), w=W, inputs="float[1,4,7,7] x"), tmp_path)
    half = loaded(
        model(convolution(), w=W.astype(np.float16), inputs="float16[1,4,6,6] x"), tmp_path
    )
    assert len({made.layers[0].signature for made in (plain, wider, larger, half)}) == 4


def test_integer_constants_count_by_value(tmp_path: Path) -> None:
    """They are axes, targets of shapes and paddings: another layer."""
    body = "y = Pad(x, p)"
    one = network(tmp_path, body, p=np.array([0, 0, 1, 1, 0, 0, 0, 0], np.int64))
    other = network(tmp_path, body, p=np.array([0, 0, 0, 0, 0, 0, 1, 1], np.int64))
    assert one.outputs == other.outputs
    assert one.layers[0].signature != other.layers[0].signature


def test_wiring_counts(tmp_path: Path) -> None:
    sums = [
        network(tmp_path, f"a = Relu(x) b = Tanh(x) y = Sub({left}, {right})")
        for left, right in (("a", "b"), ("b", "a"), ("a", "a"))
    ]
    whole = {subject_of(made.whole()) for made in sums}
    assert len(whole) == 3
