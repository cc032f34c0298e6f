"""Platform files: what is read, what is refused and how, and the shipped ones."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from counterpoint.errors import PlatformFileError, UserInputError
from counterpoint.platform.platform_file import (
    SCHEMA_PATH,
    SHIPPED,
    load_platform,
    platform_schema,
    shipped_platforms,
)
from counterpoint.platform.toml_text import platform_text

BOARD = """
format = "counterpoint-platform"
version = 1
name = "board"

[sources]
own = "made up for a test"

[[devices]]
name = "CPU.0"
kind = "CPU"
memory = "big"
clock_steps = 2
clock_mhz = [500, 1000]
basis = "datasheet own"

[[devices]]
name = "GPU"
kind = "GPU"
memory = "gpu"
clock_steps = 3

[[units]]
engine = "a"
devices = ["CPU.0"]
precision = "fp32"
clock_devices = ["CPU.0"]

[[units]]
engine = "a"
devices = ["GPU"]
precision = "fp16"
clock_devices = ["GPU", "CPU.0"]
entry_ms = 0.25
refuses = [{ kinds = ["Softmax"], reason = "no exponential" }]
basis = { entry_ms = "measured own" }

[[links]]
origin = "big"
target = "gpu"
setup_ms = 1
bandwidth_bytes_per_s = 1e9
occupies = ["GPU"]
clock_device = "CPU.0"
slower_by_clock = [2, 1]
basis = "assumed own"

[[networks]]
name = "net"
basis = "measured own"
stages = [{ name = "s0", layers = "#0" }, { name = "s1", layers = "#1..#2" }]

[[networks.times]]
unit = "a:CPU.0@fp32"
clocks = { "CPU.0" = 1 }
task_ms = [1.5, "too large"]
input_ms = 2
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "board.toml"


def refusal(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PlatformFileError) as caught:
        load_platform(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def test_what_a_file_says(path: Path) -> None:
    path.write_text(BOARD)
    file = load_platform(path)
    assert file.highest_clocks == {"CPU.0": 1, "GPU": 2}
    assert [unit.name for unit in file.platform.units] == [
        "a:CPU.0@fp32[clock=1]",
        "a:CPU.0@fp32[clock=0]",
        *(f"a:GPU@fp16[clock={own},host_clock={host}]" for own in (2, 1, 0) for host in (1, 0)),
    ]
    assert [link.setup_ns for link in file.links_at({"CPU.0": 0})] == [2_000_000]
    assert [link.transfer_ns(10**6) for link in file.links_at({"CPU.0": 1})] == [2_000_000]
    assert len(list(file.clock_settings({}))) == 6
    assert list(file.clock_settings({"GPU": 1})) == [
        {"CPU.0": 1, "GPU": 1},
        {"CPU.0": 0, "GPU": 1},
    ]
    assert file.clocks_of(["a:GPU@fp16[clock=2,host_clock=0]"]) == {"GPU": 2, "CPU.0": 0}


def test_two_units_that_want_one_device_at_two_steps(path: Path) -> None:
    path.write_text(BOARD)
    with pytest.raises(UserInputError, match=r"CPU\.0 at clock steps"):
        load_platform(path).clocks_of(["a:CPU.0@fp32[clock=1]", "a:GPU@fp16[clock=2,host_clock=0]"])


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('name = "board"\n', "", "'name' is missing"),
        ("setup_ms = 1\n", "", "'links.0.setup_ms' is missing"),
        ("setup_ms = 1\n", "setup_ms = -1\n", "'links.0': setup_ms = -1"),
        ("setup_ms = 1\n", "setup_us = 1\nsetup_ms = 1\n", "'links.0.setup_us' is unknown"),
        ("setup_ms = 1\n", 'setup_ms = "1 ms"\n', "'links.0.setup_ms': input should be a"),
        ("setup_ms = 1\n", "setup_ms = nan\n", "setup_ms = nan"),
        ("bandwidth_bytes_per_s = 1e9", "bandwidth_bytes_per_s = 0", "not above 0"),
        ('target = "gpu"', 'target = "big"', "'big' to itself"),
        ('target = "gpu"', 'target = "vram"', "'links.0': no device computes from memory 'vram'"),
        ('occupies = ["GPU"]', 'occupies = ["NPU"]', "'links.0': there is no device 'NPU'"),
        ("slower_by_clock = [2, 1]", "slower_by_clock = [2]", "has 1 of 2 steps"),
        ('["GPU", "CPU.0"]', '["GPU", "NPU"]', "'units.1': there is no device 'NPU'"),
        ('["GPU", "CPU.0"]', '["NPU", "CPU.0"]', "more than one device of other units"),
        ('devices = ["GPU"]', 'devices = ["GPU", "CPU.0"]', "'units.1': devices compute from diff"),
        ('name = "GPU"', 'name = "CPU.0"', "a GPU is GPU.0 or so"),
        ('engine = "a"\ndevices = ["GPU"]\nprecision = "fp16"',
         'engine = "a"\ndevices = ["CPU.0"]\nprecision = "fp32"', "is there twice"),
        ("clock_mhz = [500, 1000]", "clock_mhz = [1000, 500]", "does not ascend"),
        ("clock_mhz = [500, 1000]", "clock_mhz = [500]", "has 1 of 2 steps"),
        ('basis = "datasheet own"', "", "'devices.0': clock_mhz has no basis"),
        ('basis = "datasheet own"', 'basis = "datasheet it"', "source 'it', which is not in"),
        ('basis = "datasheet own"', 'basis = "guessed own"', "write 'measured SOURCE'"),
        ("{ entry_ms = \"measured own\" }", '{ entry = "measured own" }', "unknown key 'entry'"),
        ('reason = "no exponential"', 'reason = ""', "'units.1.refuses.0': a refusal has no"),
        ('unit = "a:CPU.0@fp32"', 'unit = "b:CPU@fp32"', "is not among [[units]]"),
        ('clocks = { "CPU.0" = 1 }', "", "needs the steps of: CPU.0"),
        ('clocks = { "CPU.0" = 1 }', 'clocks = { "CPU.0" = 2 }', "not between 0 and 1"),
        ('task_ms = [1.5, "too large"]', "task_ms = [1.5]", "1 values for 2 stages"),
        ('task_ms = [1.5, "too large"]', "task_ms = [1.5, -2]", "task_ms = -2"),
        ('{ name = "s1", layers', '{ name = "s0", layers', "two stages 's0'"),
        ('{ name = "s1", layers = "#1..#2" }', '{ name = "s1" }', "some stages have layers"),
        ('memory = "big"\n', "", "input_ms or output_ms of a unit that computes from the host's"),
        ("task_ms = [1.5, \"too large\"]", "task_ms = [1.5, \"\"]", "a refusal has a reason"),
        ("task_ms = [1.5, \"too large\"]", "task_ms = [1, 2]\nwhole_ms = 99", "contradicts"),
        ("task_ms = [1.5, \"too large\"]", "task_ms = [1, 2]\nwhole_ms = 0", "contradicts task_ms"),
        ("task_ms = [1.5, \"too large\"]", "task_ms = [inf, 2]", "task_ms = inf"),
        ("input_ms = 2", "input_ms = 1e300", "'networks.0.times.0': input_ms = 1e+300"),
        ("input_ms = 2", "input_ms = " + 4400 * "9", "a number of thousands of digits"),
        ("input_ms = 2", "overheads = { exit_ms = 1 }", "overheads.exit_ms is unknown"),
        ("input_ms = 2", "overheads = { entry_ms = -1 }", "overheads.entry_ms = -1"),
        ('layers = "#0"', 'output_bytes = ' + 4000 * "9", "stages.0': output_bytes = 99"),
        ("clock_steps = 2", "clock_steps = " + 400 * "9", "is not between 1 and 64"),
        ("clock_steps = 2", "clock_steps = true", "'devices.0.clock_steps': input should be"),
        ('memory = "big"', 'memory = "big"\ncores = [1, 1]', "cores: 1 is there twice"),
        ('memory = "big"', 'memory = "big"\ncores = [-1]', "cores: -1"),
        ('devices = ["CPU.0"]', 'devices = ["CPU.0", "CPU.0"]', "names one twice"),
        ('devices = ["CPU.0"]', 'devices = "CPU.0"', "'units.0.devices': input should be a"),
        ('engine = "a"', 'engine = "a"\nparameters = { x = 1 }', "parameters without a model"),
        ('[[networks]]', '[[networks]]\nversion = 1', "'networks.0.version' is unknown"),
        ("[sources]", "odd = 1\n[sources]", "'odd' is unknown"),
        ('own = "made up for a test"', 'own = ""', "'sources.own' is empty"),
        ("version = 1", "version = 2", "upgrade"),
        ("version = 1", 'version = "1"', "'version'"),
        ('"counterpoint-platform"', '"something"', "no platform file"),
        ("[sources]", "[sources", "is not TOML"),
    ],
)  # fmt: skip
def test_one_line_with_file_and_key(path: Path, old: str, new: str, told: str) -> None:
    assert old in BOARD
    text = BOARD.replace(old, new, 1)
    if old == 'memory = "big"\n':  # then the link has no such end either
        text = text.replace('origin = "big"', 'origin = "host"')
    assert told in refusal(path, text)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(PlatformFileError, match="No such file"):
        load_platform(tmp_path / "nothing.toml")
    with pytest.raises(PlatformFileError, match="one of: "):
        load_platform("nothing")
    with pytest.raises(PlatformFileError, match="several platforms match"):
        load_platform("a")
    deep = tmp_path / "deep.toml"
    refusal(deep, "a = " + "[" * 100_000)
    assert "values" in refusal(deep, "a = [" + "1," * 300_000 + "]")
    assert "values" in refusal(deep, "a" + ".a" * 300_000 + " = 1")
    assert "dots" in refusal(deep, "a" + ".a" * 2_000 + " = 1")
    assert "larger than" in refusal(deep, "[" * 5_000_000)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(data=st.data())
def test_a_file_with_bytes_changed_is_read_or_refused(path: Path, data: st.DataObject) -> None:
    content = bytearray(BOARD.encode())
    for _ in range(data.draw(st.integers(1, 3))):
        first = data.draw(st.integers(0, len(content)))
        last = data.draw(st.integers(first, min(len(content), first + 20)))
        content[first:last] = data.draw(st.binary(max_size=10))
    path.write_bytes(bytes(content))
    try:
        load_platform(path)
    except PlatformFileError as error:
        assert str(error).startswith((str(path), f"cannot read {path}"))


@pytest.mark.parametrize("name", shipped_platforms())
def test_a_shipped_platform_says_what_it_is_written_as(name: str, path: Path) -> None:
    file = load_platform(name)
    assert file.name == name
    path.write_text(platform_text(file), encoding="utf-8")
    assert load_platform(path) == file


def test_sources_are_used(path: Path) -> None:
    """A source that no value names is a leftover."""
    for shipped in SHIPPED.glob("*.toml"):
        content = tomllib.loads(shipped.read_text(encoding="utf-8"))
        text = json.dumps({key: value for key, value in content.items() if key != "sources"})
        for key in content["sources"]:
            assert f' {key}"' in text, (shipped.name, key)


def test_schema_file_is_current() -> None:
    current: dict[str, Any] = json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))
    assert current == json.loads(platform_schema()), "write platform_schema() to the file"
