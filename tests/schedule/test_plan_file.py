from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from counterpoint.costs.objective import Objective
from counterpoint.errors import MachineError, PlanFileError
from counterpoint.network.precision.choice import PrecisionChoice
from counterpoint.network.precision.ranges import Ranges, TensorRange
from counterpoint.network.precision.scheme import Scheme
from counterpoint.network.split import Split
from counterpoint.schedule.plan import Lane, LinkTransfer, Measurement, Plan, Prediction, Segment
from counterpoint.schedule.plan_file import (
    MAX_FILE_BYTES,
    SCHEMA_PATH,
    load_plan,
    plan_schema,
    save_plan,
)

PLAN = Plan(
    network_name="squeeze\nnet ü",
    network_hash="12ab",
    platform_name="board",
    platform_fingerprint="ff00",
    objective=Objective.LATENCY,
    lanes=(
        Lane((Segment((0, 2), "a:CPU@fp32"), Segment((1,), "b:NPU@int8")), 3),
        Lane((Segment((0, 1, 2), "a:CPU@fp32"),)),
    ),
    frames_in_flight=2,
    layer_names=("c1", "c2", "c3"),
    engines={"a": "1.2", "b": "7"},
    prediction=Prediction(
        1000,
        ((400, 600), (1500,)),
        900,
        800,
        7000,
        ((LinkTransfer("x", 0, 1, "host->npu", ("CPU",), 50),), ()),
    ),
    splits=(Split(("c1",), "rows", (3, 1)),),
    precision=PrecisionChoice(
        ("c2",),
        Scheme(activations="signed", power_of_two=True),
        Ranges(8, {"x": TensorRange(-1.5, 2.0, -1.25, 2.0)}),
    ),
    batch=4,
    cpu_parts={"CPU.0": (0, 1)},
    measured_latency=Measurement(1010, 990, 1100, 50),
    notes=("one", "two"),
)
OPTIONAL = (
    *("splits", "precision", "batch", "cpu_parts"),
    *("measured_latency", "measured_interval", "notes"),
)

DOCUMENT: dict[str, Any] = {
    "format": "counterpoint-plan",
    "version": 2,
    "network_name": "squeeze\nnet ü",
    "network_hash": "12ab",
    "platform_name": "board",
    "platform_fingerprint": "ff00",
    "objective": "latency",
    "lanes": [
        {
            "segments": [
                {"layers": [0, 2], "unit": "a:CPU@fp32"},
                {"layers": [1], "unit": "b:NPU@int8"},
            ],
            "share": 3,
        },
        {"segments": [{"layers": [0, 1, 2], "unit": "a:CPU@fp32"}], "share": 1},
    ],
    "frames_in_flight": 2,
    "layer_names": ["c1", "c2", "c3"],
    "engines": {"a": "1.2", "b": "7"},
    "prediction": {
        "latency_ns": 1000,
        "segment_ns": [[400, 600], [1500]],
        "lower_bound": 900,
        "interval_ns": 800,
        "energy_pj": 7000,
        "transfers": [
            [
                {
                    "tensor": "x",
                    "origin": 0,
                    "target": 1,
                    "link": "host->npu",
                    "occupies": ["CPU"],
                    "time_ns": 50,
                }
            ],
            [],
        ],
    },
    "measured_latency": {"median_ns": 1010, "low_ns": 990, "high_ns": 1100, "samples": 50},
    "measured_interval": None,
    "splits": [{"layers": ["c1"], "axis": "rows", "parts": [3, 1]}],
    "precision": {
        "int8": ["c2"],
        "scheme": {
            "weights": "per_channel",
            "activations": "signed",
            "clipping": "least_noise",
            "power_of_two": True,
        },
        "ranges": {
            "frames": 8,
            "tensors": {"x": {"minimum": -1.5, "maximum": 2.0, "low": -1.25, "high": 2.0}},
        },
    },
    "batch": 4,
    "cpu_parts": {"CPU.0": [0, 1]},
    "notes": ["one", "two"],
}


def with_range(
    minimum: float,
    maximum: float,
    low: float,
    high: float,
    *,
    frames: int = 1,
    layers: Sequence[str] = ("c1",),
    weights: str = "per_tensor",
) -> str:
    """A plan with a choice of precision."""
    tensor = {"minimum": minimum, "maximum": maximum, "low": low, "high": high}
    ranges = {"frames": frames, "tensors": {"x": tensor}}
    chosen = {"int8": list(layers), "scheme": {"weights": weights}, "ranges": ranges}
    return changed(precision=chosen)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "plan.json"


def refusal(path: Path, content: bytes | str) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(PlanFileError) as caught:
        load_plan(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


def changed(**fields: object) -> str:
    return json.dumps(DOCUMENT | fields)


def test_round_trip(path: Path) -> None:
    save_plan(PLAN, path)
    assert load_plan(path) == PLAN
    bare = replace(
        PLAN,
        splits=(),
        precision=None,
        batch=None,
        cpu_parts={},
        measured_latency=None,
        notes=(),
        prediction=Prediction(5),
    )
    save_plan(bare, path)
    assert load_plan(path) == bare


def test_the_form_of_the_file(path: Path) -> None:
    save_plan(PLAN, path)
    assert json.loads(path.read_text(encoding="utf-8")) == DOCUMENT


def test_optional_fields_may_be_left_out(path: Path) -> None:
    document = {key: DOCUMENT[key] for key in DOCUMENT if key not in OPTIONAL}
    path.write_text(json.dumps(document))
    assert load_plan(path) == replace(
        PLAN,
        splits=(),
        precision=None,
        batch=None,
        cpu_parts={},
        measured_latency=None,
        notes=(),
    )


def test_saving_where_it_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="No such file or directory"):
        save_plan(PLAN, tmp_path / "missing" / "plan.json")


def test_missing_file(path: Path) -> None:
    with pytest.raises(PlanFileError, match=r"cannot read .*plan\.json: No such file"):
        load_plan(path)


def test_folder(tmp_path: Path) -> None:
    with pytest.raises(PlanFileError, match="Is a directory"):
        load_plan(tmp_path)


def test_newer_version(path: Path) -> None:
    message = refusal(path, changed(version=3, novelty=1))
    assert message == f"{path} is of version 3, this Counterpoint reads up to 2: upgrade"


def test_older_version(path: Path) -> None:
    message = refusal(path, changed(version=1))
    assert message == f"{path} is of version 1, this Counterpoint reads 2: make the plan again"


def test_too_big_is_told_without_reading_it_all(path: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(PlanFileError, match="larger than 16 MiB"):
        load_plan(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        ("[" * 100_000, "is not JSON: recursion limit exceeded"),
        ('{"a":' * 100_000, "is not JSON: recursion limit exceeded"),
        ('{"version": 1e999}', "is not a plan"),
        (changed(lanes=[{}] * 200_000), "holds more than 200000 values"),
        ("[]", 'is not a plan: it has no "format": "counterpoint-plan"'),
        ("{}", "is not a plan"),
        ('{"format": "counterpoint-plan"}', "field 'version' is not a whole number"),
        (changed(version="1"), "field 'version' is not a whole number"),
        (changed(version=True), "field 'version' is not a whole number"),
        (changed(version=0), "field 'version' is not a whole number"),
        (changed(version=10**4000), "is of version 1000"),
        (changed(novelty=1), "field 'novelty' is unknown"),
        (changed(**{"new\nline": 1}), "field 'new\\nline' is unknown"),
        (changed(**{"n" * 10_000: 1}), "nnn... is unknown"),
        (changed(network_hash=5), "field 'network_hash': input should be a valid string"),
        (changed(frames_in_flight=2.0), "field 'frames_in_flight': input should be a valid int"),
        (changed(frames_in_flight="2"), "field 'frames_in_flight': input should be a valid int"),
        (changed(frames_in_flight=10**9), "frames_in_flight is not between 1 and 1024"),
        (changed(lanes=[]), "a plan has no lane"),
        (changed(lanes=[{"segments": []}]), "field 'lanes.0': a lane has no segment"),
        (changed(lanes=[{"segments": [{"layers": [1]}]}]), "'lanes.0.segments.0.unit' is missing"),
        (
            changed(lanes=[{"segments": [{"layers": [1, "2"], "unit": ""}]}]),
            "field 'lanes.0.segments.0.layers.1': input should be a valid integer",
        ),
        (
            changed(prediction={"latency_ns": 10**30}),
            "field 'prediction': latency_ns is not between 0 and 2**63 - 1",
        ),
        (changed(prediction={"latency_ns": 1, "segment_ns": [[1]]}), "one time for each segment"),
        (changed(engines={"a": None}), "field 'engines.a': input should be a valid string"),
        (changed(precision={"int8": []}), "field 'precision.scheme' is missing"),
        (with_range(2.0, 1.0, 1.0, 2.0), "minimum <= low <= high <= maximum does not hold"),
        (with_range(-1e39, 0.0, 0.0, 1.0), "a range is not within what float32 holds"),
        (with_range(0.0, 1.0, 0.0, 1.0, frames=0), "on one frame at least"),
        (with_range(0.0, 1.0, 0.0, 1.0, layers=["c1", "c1"]), "no int8 layer, or one twice"),
        (with_range(0.0, 1.0, 0.0, 1.0, weights="both"), "field 'precision.scheme.weights'"),
    ],
)
def test_names_the_fault(path: Path, content: bytes | str, message: str) -> None:
    assert re.search(re.escape(message), refusal(path, content))


@pytest.mark.parametrize("field", [key for key in DOCUMENT if key not in OPTIONAL])
def test_every_other_field_is_required(path: Path, field: str) -> None:
    document = {key: DOCUMENT[key] for key in DOCUMENT if key != field}
    message = refusal(path, json.dumps(document))
    assert field in message


def places(value: object, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield here
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], (*here, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, (*here, index))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
IN_ONE_FILE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def loads_or_is_refused(path: Path) -> None:
    try:
        plan = load_plan(path)
    except PlanFileError as error:
        assert "\n" not in str(error)
    else:
        save_plan(plan, path)
        assert load_plan(path) == plan


@IN_ONE_FILE
@given(content=st.binary() | st.text().map(str.encode))
def test_random_bytes_are_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    loads_or_is_refused(path)


@IN_ONE_FILE
@given(where=st.sampled_from(list(places(DOCUMENT))[1:]), value=JSON_VALUES)
def test_a_plan_with_one_value_changed(path: Path, where: tuple[Any, ...], value: object) -> None:
    document = copy.deepcopy(DOCUMENT)
    holder: Any = document
    for step in where[:-1]:
        holder = holder[step]
    holder[where[-1]] = value
    path.write_text(json.dumps(document))
    loads_or_is_refused(path)


@IN_ONE_FILE
@given(data=st.data())
def test_a_plan_with_bytes_changed(path: Path, data: st.DataObject) -> None:
    content = bytearray(json.dumps(DOCUMENT).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        first = data.draw(st.integers(0, len(content)))
        last = data.draw(st.integers(first, min(len(content), first + 20)))
        content[first:last] = data.draw(st.binary(max_size=10))
    path.write_bytes(bytes(content))
    loads_or_is_refused(path)


def test_schema_file_is_current() -> None:
    current = json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))
    assert current == json.loads(plan_schema()), "write plan_schema() to plan.schema.json"


def test_schema_tells_fields_and_refuses_others() -> None:
    schema = json.loads(plan_schema())
    assert set(schema["properties"]) == set(DOCUMENT)
    assert set(schema["required"]) == set(DOCUMENT) - set(OPTIONAL)
    assert schema["additionalProperties"] is False
    assert schema["$defs"]["Segment"]["additionalProperties"] is False
