"""Functions that a file defines for itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, helper

from counterpoint.errors import ModelFileError
from tests.engine_runs import random_frame, relative_error, run_whole
from tests.onnx_models import loaded, model, operators

SILU = '<domain: "local", opset_import: ["" : 17]> silu (v) => (r) { s = Sigmoid(v) r = Mul(v, s) }'


def with_functions(body: str, functions: str, **weights: Any) -> ModelProto:
    return model(body, imports={"local": 1}, functions=functions, **weights)


def test_written_out_where_called(tmp_path: Path) -> None:
    made = with_functions("a = local.silu(x) y = local.silu(a)", SILU)
    network = loaded(made, tmp_path)
    assert operators(network) == [("Sigmoid",), ("Mul", "Sigmoid", "Mul")]
    frame = random_frame(network)
    once = frame["x"] / (1 + np.exp(-frame["x"]))
    assert relative_error(run_whole(network, frame), [once / (1 + np.exp(-once))]) < 1e-5


def test_names_inside_do_not_meet_names_outside(tmp_path: Path) -> None:
    """The function's own ``s`` is not the model's weight ``s``."""
    made = with_functions("a = local.silu(x) y = Mul(a, s)", SILU, s=np.array([3], np.float32))
    network = loaded(made, tmp_path)
    frame = random_frame(network)
    wanted = frame["x"] / (1 + np.exp(-frame["x"])) * 3
    assert relative_error(run_whole(network, frame), [wanted]) < 1e-5


def test_functions_inside_functions_and_branches(tmp_path: Path) -> None:
    twice = '<domain: "local", opset_import: ["" : 17, "local" : 1]> twice (v) => (r) '
    made = model(
        "y = If(c)<then_branch = t () => (float[1,4,6,6] o) { o = local.twice(x) },"
        "else_branch = e () => (float[1,4,6,6] p) { p = Relu(x) }>",
        inputs="float[1,4,6,6] x, bool c",
        imports={"local": 1},
        functions=twice + "{ a = local.silu(v) r = local.silu(a) }\n" + SILU,
    )
    network = loaded(made, tmp_path)
    assert operators(network) == [("If",)]
    frame = random_frame(network) | {"c": np.array(True)}
    once = frame["x"] / (1 + np.exp(-frame["x"]))
    assert relative_error(run_whole(network, frame), [once / (1 + np.exp(-once))]) < 1e-5


def nested(depth: int, *, closed: bool = False) -> ModelProto:
    """Functions that each call the next one twice: 2 ** depth nodes."""
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
    functions = []
    for level in range(depth):
        last = level == depth - 1
        called = ("f0" if closed else "Relu") if last else f"f{level + 1}"
        domain = "" if last and not closed else "local"
        body = [
            helper.make_node(called, [source], [target], domain=domain)
            for source, target in (("a", "b"), ("b", "c"))
        ]
        functions.append(helper.make_function("local", f"f{level}", ["a"], ["c"], body, imports))
    made = model("y = local.f0(x)", imports={"local": 1})
    made.functions.extend(functions)
    return made


def test_exponential_growth_is_refused_before_it_happens(tmp_path: Path) -> None:
    assert len(loaded(nested(5), tmp_path).layers) == 32
    with pytest.raises(ModelFileError, match="stand for more than"):
        loaded(nested(60), tmp_path)


@pytest.mark.parametrize("depth", [1, 3])
def test_functions_that_call_themselves(tmp_path: Path, depth: int) -> None:
    with pytest.raises(ModelFileError, match="calls itself"):
        loaded(nested(depth, closed=True), tmp_path)


def test_functions_of_another_operator_set(tmp_path: Path) -> None:
    made = with_functions("y = local.silu(x)", SILU)
    made.functions[0].opset_import[0].version = 6
    with pytest.raises(ModelFileError, match="operator set"):
        loaded(made, tmp_path)
