"""Nine whole architectures that the onnx package carries, with the outputs it expects.

Their weights are filled in by ConstantOfShape; the input counts up from 0 to 1, as in
``onnx.backend.test.runner`` (``generate_dummy_data``). Tolerances are that runner's.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from counterpoint.network.loading import load
from tests.engine_runs import relative_error, run_parts, run_segment, run_whole

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"

RELATIVE = {"densenet121": 2e-3}

NAMES = tuple(sorted(path.stem.removeprefix("light_") for path in LIGHT.glob("*.onnx")))


def counting(shape: tuple[int, ...]) -> np.ndarray:
    count = int(np.prod(shape))
    return (np.arange(count).reshape(shape) / count).astype(np.float32)


def test_all_nine_are_here() -> None:
    assert len(NAMES) == 9


# Its logits are 9.5e9, where neighbouring floats lie 1024 apart: a softmax of these tells one
# rounding from another, not right from wrong.
ILL_CONDITIONED = ("squeezenet", "openvino")

CASES = [
    (name, engine)
    for name in NAMES
    for engine in ("onnxruntime", "openvino")
    if (name, engine) != ILL_CONDITIONED
]


@pytest.mark.parametrize(("name", "engine"), CASES)
def test_expected_output(name: str, engine: str) -> None:
    network = load(LIGHT / f"light_{name}.onnx")
    (spec,) = network.inputs
    frame = {spec.name: counting(spec.shape or ())}
    tensor = onnx.load_tensor(str(LIGHT / f"light_{name}_output_0.pb"))
    wanted = onnx.numpy_helper.to_array(tensor)
    outputs = run_whole(network, frame, engine)
    if engine == "onnxruntime":
        half = len(network.layers) // 2
        parts = [range(half), range(half, len(network.layers))]
        outputs += run_parts(network, parts, frame, engine)
    for output in outputs:
        assert output.shape == wanted.shape
        assert np.allclose(output, wanted, rtol=RELATIVE.get(name, 1e-3), atol=1e-7)


def test_squeezenet_up_to_its_softmax() -> None:
    network = load(LIGHT / "light_squeezenet.onnx")
    (spec,) = network.inputs
    frame = {spec.name: counting(spec.shape or ())}
    logits = network.subnetwork(range(len(network.layers) - 1))
    assert network.layers[-1].kind == "Softmax"
    wanted = run_segment(logits, frame, "onnxruntime")
    assert relative_error(run_segment(logits, frame, "openvino"), wanted) < 1e-5
