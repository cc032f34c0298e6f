"""Real networks in parts compute what they compute in one."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np
import onnx
import pytest

from counterpoint.errors import InternalError
from counterpoint.network.graph import Network
from counterpoint.network.loading import load
from tests.engine_runs import random_frame, relative_error, run_parts, run_whole
from tests.onnx_models import kernel, loaded, model
from tests.shared_data import require

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"

# Scale of the random input: where the network expects pixels, noise of 1 would say little.
REAL = {
    "mnist/mnist-8.onnx": 50.0,
    "ultraface/version-RFB-320.onnx": 1.0,
    "squeezenet_v1.1/squeezenet_v1.1.onnx": 50.0,
    "mobilenet_v2/mobilenet_v2_int8.onnx": 1.0,
    "mlperf_tiny/ks_quantized_int8.onnx": 1.0,
    "yunet/yunet_n_320_320.onnx": 50.0,
}


def real_network(name: str) -> tuple[Network, float]:
    if name.startswith("light_"):
        return load(LIGHT / f"{name}.onnx"), 1.0
    return load(require(f"models/{name}")), REAL[name]


@pytest.mark.parametrize("name", [*REAL, "light_inception_v2", "light_shufflenet"])
def test_layer_by_layer_and_in_random_parts(name: str) -> None:
    network, scale = real_network(name)
    frame = random_frame(network, scale)
    wanted = run_whole(network, frame)
    count = len(network.layers)
    singles = [[index] for index in range(count)]
    assert relative_error(run_parts(network, singles, frame), wanted) < 1e-5
    random = Random(name)
    for _ in range(3):
        borders = [0, *sorted(random.sample(range(1, count), min(4, count - 1))), count]
        parts = [range(a, b) for a, b in pairwise(borders)]
        assert relative_error(run_parts(network, parts, frame), wanted) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mnist/mnist-8.onnx", "squeezenet_v1.1/squeezenet_v1.1.onnx"])
def test_layer_by_layer_in_openvino(name: str) -> None:
    network, scale = real_network(name)
    frame = random_frame(network, scale)
    singles = [[index] for index in range(len(network.layers))]
    wanted = run_whole(network, frame, "openvino")
    assert relative_error(run_parts(network, singles, frame, "openvino"), wanted) < 1e-4


def test_a_set_that_is_not_convex_is_refused(tmp_path: Path) -> None:
    body = "a = Relu(x) b = Tanh(a) y = Add(a, b)"
    network = loaded(model(body), tmp_path)
    with pytest.raises(InternalError, match="no convex segment"):
        network.subnetwork([0, 2])
    with pytest.raises(InternalError, match="no convex segment"):
        network.subnetwork([])


def test_parts_share_the_weights_and_do_not_copy_them(tmp_path: Path) -> None:
    weights = kernel(4, 4, seed=1).repeat(64, axis=0)  # 36 KB, above what stays inline
    made = model(
        "y = Conv<pads=[1,1,1,1]>(x, w) z = Relu(y)", outputs="float y, float z", w=weights
    )
    network = loaded(made, tmp_path)
    paths = [network.subnetwork([index]).onnx_path() for index in range(2)]
    assert paths[0] != paths[1]
    assert all(path.stat().st_size < weights.nbytes / 4 for path in paths)
    assert paths[0] == network.subnetwork([0]).onnx_path()
    assert {path.parent for path in paths} == {network.whole().onnx_path().parent}


def test_an_input_that_is_returned_and_read(tmp_path: Path) -> None:
    made = model("y = Relu(x)", outputs="float x, float y")
    network = loaded(made, tmp_path)
    frame = random_frame(network)
    passed, _ = run_whole(network, frame)
    assert relative_error([passed], [frame["x"]]) == 0


def test_branches_and_loops_read_tensors_from_outside(tmp_path: Path) -> None:
    """A sub-graph may name tensors of the main graph without listing them as inputs."""
    made = model(
        "a = Relu(x) k = Neg(w) l = Loop(times, on, x)<"
        "body = b (int64 i, bool go, float[1,4,6,6] v) => (bool further, float[1,4,6,6] sum) "
        "{ further = Identity(go) d = Add(v, a) sum = Mul(d, k) }> "
        "y = If(c)<then_branch = t () => (float[1,4,6,6] o) { o = Add(l, a) }, "
        "else_branch = e () => (float[1,4,6,6] p) { p = Sub(l, a) }>",
        inputs="float[1,4,6,6] x, bool c",
        w=np.full((4, 1, 1), 0.5, np.float32),
        times=np.array(3, np.int64),
        on=np.array(True),
    )
    network = loaded(made, tmp_path)
    assert [layer.kind for layer in network.layers] == ["Relu", "Loop", "If"]
    for choice in (True, False):
        frame = random_frame(network) | {"c": np.array(choice)}
        value, positive = frame["x"], np.maximum(frame["x"], 0)
        for _ in range(3):
            value = (value + positive) * np.float32(-0.5)
        wanted = value + positive if choice else value - positive
        for parts in ([range(3)], [[0], [1], [2]], [[0, 1], [2]]):
            assert relative_error(run_parts(network, parts, frame), [wanted]) < 1e-6
