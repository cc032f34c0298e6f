from __future__ import annotations

from dataclasses import replace
from itertools import product
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoint.errors import UserInputError
from counterpoint.network.graph import Network
from counterpoint.tuning.mapping import matching_units, parse_mapping
from tests.fake_engine import fake_network
from tests.tuning.small_network import small_network

ORT, OV, BF16 = "onnxruntime:CPU@fp32", "openvino:CPU@fp32", "openvino:CPU@bf16"
ORT_ALONE = "onnxruntime:CPU@fp32[a=x,threads=1]"
GPU, GPU1, GPU10 = "ncnn:GPU.0@fp16", "ncnn:GPU.1@fp16", "ncnn:GPU.10@fp16"
UNITS = (ORT, ORT_ALONE, OV, BF16, GPU, GPU1, GPU10)


def named(*names: str) -> Network:
    """A chain of layers of those names."""
    network = fake_network([["x"], *([f"t{index}"] for index in range(len(names) - 1))])
    layers = tuple(
        replace(layer, name=name) for layer, name in zip(network.layers, names, strict=True)
    )
    return replace(network, layers=layers)


NETWORK = named("conv1", "pool1", "fire2/squeeze", "fire2/expand", "fire3/squeeze", "prob")


@pytest.mark.parametrize(
    ("layers", "indices"),
    [
        ("conv1", [0]),
        ("#3", [3]),
        ("#1..#3", [1, 2, 3]),
        ("pool1..fire2/expand", [1, 2, 3]),
        ("pool1 .. #2", [1, 2]),
        ("prob..prob", [5]),
        ("fire*", [2, 3, 4]),
        ("fire?/squeeze", [2, 4]),
        ("fire2/*..fire3/*", [2, 3, 4]),
        ("conv1..fire*", [0, 1, 2, 3, 4]),
        ("rest", [0, 1, 2, 3, 4, 5]),
        ("*", [0, 1, 2, 3, 4, 5]),
    ],
)
def test_what_the_left_side_means(layers: str, indices: list[int]) -> None:
    assert parse_mapping(f"{layers}={OV}", NETWORK, UNITS) == dict.fromkeys(indices, (OV,))


@pytest.mark.parametrize(
    ("unit", "names"),
    [
        (ORT, [ORT]),
        (ORT_ALONE, [ORT_ALONE]),
        ("openvino", [OV, BF16]),
        ("openvino:CPU@bf16", [BF16]),
        ("bf16", [BF16]),
        ("CPU@fp32", [ORT, ORT_ALONE, OV]),
        ("CPU", [ORT, ORT_ALONE, OV, BF16]),
        ("GPU.1", [GPU1]),
        ("GPU", [GPU, GPU1, GPU10]),
    ],
)
def test_what_the_right_side_means(unit: str, names: list[str]) -> None:
    assert parse_mapping(f"conv1={unit}", NETWORK, UNITS) == {0: tuple(names)}


def test_the_whole_cpu_comes_before_its_parts() -> None:
    parts = ("openvino:CPU.0@fp32", "openvino:CPU.1@fp32")
    assert matching_units("CPU", (OV, *parts)) == (OV,)
    assert matching_units("CPU", parts) == parts
    assert matching_units("openvino", (OV, *parts)) == (OV, *parts)


def test_a_file_has_comments_blanks_and_several_rules_a_line() -> None:
    text = (
        "# how it is done by hand\r\n"
        f"\n  conv1 = {GPU}   # the first one\n"
        f"#1..#2={ORT_ALONE}, prob = openvino,\n"
        "#commented=out\n"
        "rest=bf16"
    )
    assert parse_mapping(text, NETWORK, UNITS) == {
        0: (GPU,),
        1: (ORT_ALONE,),
        2: (ORT_ALONE,),
        3: (BF16,),
        4: (BF16,),
        5: (OV, BF16),
    }


def test_the_rest_may_come_first_and_may_be_nothing() -> None:
    assert parse_mapping("rest=bf16,conv1=GPU.0", NETWORK, UNITS)[0] == (GPU,)
    everything = parse_mapping("conv1..prob=GPU.0,rest=bf16", NETWORK, UNITS)
    assert set(everything.values()) == {(GPU,)}


@pytest.mark.parametrize("name", ["a..b", "rest*", "#9", "x=y", "w[0]", "n[*]", "12"])
def test_a_layers_own_name_comes_before_other_meanings(name: str) -> None:
    assert parse_mapping(f"{name}=bf16", named("first", name, "last"), UNITS) == {1: (BF16,)}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "the mapping is empty"),
        (" ,\n# conv1=CPU\n", "the mapping is empty"),
        ("conv1", "rule 'conv1' of the mapping: write it as LAYERS=UNIT"),
        ("conv1=", "rule 'conv1='"),
        ("=CPU", "rule '=CPU'"),
        (" = ", "rule '='"),
        ("conv1=CPU[", r"rule 'conv1=CPU\['"),
        ("conv2=CPU", "unknown layer 'conv2'; the nearest: conv1$"),
        ("conv1..fire9=CPU", "unknown layer 'fire9'; "),
        ("conv1..=CPU", "unknown layer ''; 'counterpoint inspect' lists all layers"),
        ("zzz*=CPU", "unknown layer 'zzz[*]'; 'counterpoint inspect'"),
        ("#6=CPU", "unknown layer #6; fake has #0 to #5"),
        ("prob..conv1=CPU", "range 'prob..conv1' of the mapping runs backwards: fake runs 'conv1'"),
        ("conv1=NPU", "no unit matches 'NPU'; there are: onnxruntime:CPU@fp32, "),
        ("conv1=PU", "no unit matches 'PU'"),
        ("conv1=CPU,*1=GPU", "layer 'conv1' is in two rules of the mapping, 'conv1' and '[*]1'"),
        ("*=CPU,rest=GPU", "two rules for the rest"),
        ("z" * 999 + "=CPU", "unknown layer 'z{80}[.]{3}'"),
    ],
)
def test_a_mapping_that_does_not_fit(text: str, told: str) -> None:
    with pytest.raises(UserInputError, match=told) as caught:
        parse_mapping(text, NETWORK, UNITS)
    assert "\n" not in str(caught.value)


def test_an_operator_inside_a_layer_names_its_layer() -> None:
    with pytest.raises(UserInputError, match="'relu0': it is part of layer 'conv0', name that"):
        parse_mapping("relu0=CPU", small_network(), UNITS)


def test_without_units_nothing_matches() -> None:
    with pytest.raises(UserInputError, match="there are: none"):
        parse_mapping("conv1=CPU", NETWORK, ())


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 12), st.integers(0, 2**32 - 1).map(Random))
def test_a_mapping_comes_back_however_it_is_written(layers: int, rng: Random) -> None:
    network = named(*(f"layer{index}" for index in range(layers)))
    wanted = {index: (rng.choice(UNITS),) for index in range(layers) if rng.random() < 0.8}
    rules = []
    left = sorted(wanted)
    while left:
        begin = end = left.pop(0)
        while left and left[0] == end + 1 and wanted[left[0]] == wanted[begin]:
            end = left.pop(0)
        first, last = (rng.choice((f"#{i}", f"layer{i}")) for i in (begin, end))
        selected = first if begin == end else f"{first}..{last}"
        rules.append(f"{selected}{rng.choice(('=', ' = '))}{wanted[begin][0]}")
    rng.shuffle(rules)
    text = "".join(rule + rng.choice((",", " , ", "\n", " # note\n")) for rule in rules)
    if not wanted:
        with pytest.raises(UserInputError, match="empty"):
            parse_mapping(text, network, UNITS)
        return
    assert parse_mapping(text, network, UNITS) == wanted
    unnamed = [index for index in range(layers) if index not in wanted]
    assert parse_mapping(f"{text}rest=bf16", network, UNITS) == {
        **wanted,
        **dict.fromkeys(unnamed, (BF16,)),
    }


WORDS = st.sampled_from(
    [
        "conv1",
        "prob",
        "#2",
        "..",
        "=",
        "CPU",
        "rest",
        "*",
        "[",
        "]",
        ",",
        "\n",
        " ",
        "#",
        "\x1b",
        "é",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(), st.lists(WORDS).map("".join)))
def test_whatever_a_stranger_writes_is_a_mapping_or_one_line(text: str) -> None:
    try:
        found = parse_mapping(text, NETWORK, UNITS)
    except UserInputError as error:
        assert "\n" not in str(error)
        return
    assert found
    assert all(units and set(units) <= set(UNITS) for units in found.values())
    assert all(0 <= layer < len(NETWORK.layers) for layer in found)


def test_every_pair_of_ends_is_a_range_or_runs_backwards() -> None:
    for begin, end in product(range(6), repeat=2):
        text = f"#{begin}..#{end}={OV}"
        if begin > end:
            with pytest.raises(UserInputError, match="backwards"):
                parse_mapping(text, NETWORK, UNITS)
        else:
            assert list(parse_mapping(text, NETWORK, UNITS)) == list(range(begin, end + 1))
