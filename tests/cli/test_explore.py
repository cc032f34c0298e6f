"""The verb ``explore``, as a user meets it."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Call
from tests.shared_data import require

TINY = ("--area", "48", "--inputs", "8,9")
"""A space that is searched in no time."""


def test_explores_and_writes_all_it_has_found(call: Call, tmp_path: Path) -> None:
    folder = tmp_path / "designs"
    ended = call("explore", "zoo:squeezenet_v1.1", *TINY, "-o", folder, "--json")
    assert ended.status == 0, ended
    found = json.loads(ended.out)
    assert found["format"] == "counterpoint-exploration"
    assert found["budget"] == 48
    assert found["area_unit"] == "DSP slices"
    assert found["networks"] == [{"name": "squeezenet_v1.1", "images": 1, "macs": 349151936}]
    assert found["designs"] == found["tried"] > 100

    with (folder / "designs.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == found["tried"]
    least = min(int(row["interval_cycles"]) for row in rows)
    best = [point for point in found["best"] if point["interval_cycles"] == least]
    assert best
    assert all(int(row["area"]) <= 48 for row in rows)
    for row in rows[:: len(rows) // 20]:
        spent = int(row["multipliers"]) * int(row["interval_cycles"])
        assert float(row["pe_efficiency"]) == pytest.approx(349151936 / spent, rel=1e-5)
        rate = 200e6 / int(row["interval_cycles"])
        assert float(row["images_per_s"]) == pytest.approx(rate, rel=1e-5)

    drawing = ET.parse(folder / "pareto.svg").getroot()  # noqa: S314
    marks = [node for node in drawing.iter() if node.tag.endswith(("circle", "polygon"))]
    assert len(marks) == len(found["front"])
    assert not (folder / "state.jsonl").exists()

    planned = call(
        "plan", "zoo:squeezenet_v1.1", "-p", folder / "best.toml", "--objective", "throughput"
    )
    assert planned.status == 0, planned


def test_a_bound_finds_the_same_best_designs(call: Call) -> None:
    words = ("explore", "zoo:mobilenet_v2", "--area", "40", "--cores", "2", "--step", "4", "--json")
    every, bound = (
        json.loads(call(*words, "--method", method).out) for method in ("exhaustive", "bound")
    )
    assert [one["interval_cycles"] for one in bound["best"]] == [
        one["interval_cycles"] for one in every["best"]
    ]
    assert [one["area"] for one in bound["best"]] == [one["area"] for one in every["best"]]
    assert bound["tried"] < every["tried"]
    assert bound["bounds"] > 0


def test_tells_where_the_cycles_go(call: Call) -> None:
    ended = call("explore", "zoo:mobilenet_v1", *TINY, "--layers", "3")
    assert ended.status == 0, ended
    for words in (
        "best by number of cores",
        "paper's way, balanced by rows",
        "bound of all schedules of whole layers",
        "conv2_1/dw",
        "and 25 more layers",
    ):
        assert words in ended.out


def test_several_networks_with_weights_and_a_file_without_them(call: Call) -> None:
    prototxt = require("architectures/shufflenet/shufflenet_1x_g3_deploy.prototxt")
    ended = call("explore", "zoo:squeezenet_v1.1", prototxt, "--weights", "3,1", *TINY, "--json")
    assert ended.status == 0, ended
    networks = json.loads(ended.out)["networks"]
    assert [one["images"] for one in networks] == [3, 1]
    assert networks[1]["macs"] == 127061304


def test_one_design_is_explained_without_a_search(call: Call) -> None:
    design = "convolution:28x32+depthwise:16x9"
    ended = call("explore", "zoo:mobilenet_v2", "--design", design, "--json")
    assert ended.status == 0, ended
    found = json.loads(ended.out)
    assert [core["kind"] for core in found["cores"]] == ["convolution", "depthwise"]
    made = found["schedules"]
    assert made["split_bound_cycles"] <= made["bound_cycles"] <= made["lanes_cycles"]
    assert made["split_bound_cycles"] <= made["published_cycles"]
    assert made["published_cycles"] <= made["published_unbalanced_cycles"]
    layers = found["layers"]
    assert sum(layer["macs"] for layer in layers) == 300774272
    for layer in layers:
        assert sum(layer["parts"]) == pytest.approx(1.0)
    single = sum(layer["reference_cycles"] for layer in layers)
    assert found["reference_cycles"] == single


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "no network: give a file"),
        (("zoo:mobilenet_v2", "--design", "convolution:0x32"), "0 elements of 32 inputs"),
        (("zoo:mobilenet_v2", "--inputs", "0"), "cores of 0 inputs: give sizes from 1"),
        (("zoo:mobilenet_v2", "--step", "0"), "elements in steps of 0"),
        (("zoo:mobilenet_v2", "--area", "0"), "an area of 0 DSP slices"),
        (("zoo:mobilenet_v2", "--area", "-3"), "an area of -3 DSP slices"),
        (("zoo:mobilenet_v2", "--area", "2", "--inputs", "64"), "no design of 1 core fits 2"),
        (("zoo:mobilenet_v2", "--area", "99999999"), "it has to be from 1 to"),
        (("zoo:mobilenet_v2", "--feature-buffer", "20"), "smaller than one tile"),
        (("zoo:mobilenet_v2", "--weight-buffer", "0"), "a weight buffer of 0 bytes"),
        (("zoo:mobilenet_v2", "--weight-buffer", "7", "--inputs", "16"), "smaller than one"),
        (("zoo:mobilenet_v2", "--dram", "-64"), "a memory bandwidth of -64 bytes per cycle"),
        (("zoo:mobilenet_v2", "--dram", "fast"), "--dram: 'fast' is no whole number"),
        (("zoo:mobilenet_v2", "--cores", "0"), "designs of 0 cores"),
        (("zoo:mobilenet_v2", "--cores", "9"), "designs of 9 cores"),
        (("zoo:mobilenet_v2", "--cores", "convolution+magic"), "unknown kind of core 'magic'"),
        (("zoo:mobilenet_v2", "--kinds", "gpu"), "unknown kind of core 'gpu'"),
        (("zoo:mobilenet_v2", "--products", "depthwise=0"), "at least 1"),
        (("zoo:mobilenet_v2", "--method", "luck"), "unknown method 'luck' of exploration"),
        (("zoo:mobilenet_v2", "--weights", "1,2"), "2 weights for 1 networks"),
        (("zoo:mobilenet_v2", "--weights", "0"), "a weight of 0 images"),
        (("zoo:mobilenet_v2", "--resume"), "--resume needs -o DIR"),
        (("zoo:mobilenet_v2", "--design", "tpu"), "a core is KIND:ELEMENTSxINPUTS"),
        (("zoo:mobilenet_v2", "--design", "depthwise:4x9", "-o", "x"), "leave out -o"),
        (("zoo:mobilenet_v2", "--area", "9", "--multipliers", "9"), "--multipliers excludes"),
        (
            ("zoo:squeezenet_v1.1", "--cores", "3", "--kinds", "convolution"),
            "too many to try one by one",
        ),
        (("zoo:nothing",), "no network 'nothing' in the zoo"),
    ],
    ids=lambda value: " ".join(value[1:]) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_explored_is_one_clear_line(
    refused: Callable[..., str], words: tuple[str, ...], told: str
) -> None:
    assert told in refused(2, "explore", *words)


def test_a_folder_in_the_way_is_told(refused: Callable[..., str], tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    assert "cannot make the folder" in refused(2, "explore", "zoo:mobilenet_v2", "-o", file)
    assert "nothing to resume" in refused(
        2, "explore", "zoo:mobilenet_v2", *TINY, "-o", tmp_path, "--resume"
    )


PROGRAM = """
import sys
from counterpoint.cli.main import main
from counterpoint.explore.state import StateFile

add = StateFile.add

def add_then_wait(self, number, tried):
    add(self, number, tried)
    if number == 3:
        print("kept", flush=True)
        import signal
        while True:
            signal.pause()

StateFile.add = add_then_wait
sys.exit(main(sys.argv[1:]))
"""


def test_an_interrupt_keeps_what_is_done_and_resuming_goes_on(call: Call, tmp_path: Path) -> None:
    words = ["explore", "zoo:squeezenet_v1.1", *TINY, "--json"]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words, "-o", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "kept\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130
    assert out == ""
    assert err == (
        f"counterpoint: interrupted; what is done is kept in {tmp_path}: go on with --resume\n"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state.jsonl"]
    kept = (tmp_path / "state.jsonl").read_text().splitlines()
    assert len(kept) == 5

    again = call(*words, "-o", tmp_path)
    assert again.status == 2
    assert "go on with --resume, or remove it" in again.err
    other = call(*words, "--duplex", "-o", tmp_path, "--resume")
    assert other.status == 2
    assert "is of another exploration" in other.err

    resumed = call(*words, "-o", tmp_path, "--resume")
    assert resumed.status == 0, resumed
    assert json.loads(resumed.out) == json.loads(call(*words).out)
    assert not (tmp_path / "state.jsonl").exists()
