from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from counterpoint.errors import FrameError
from counterpoint.frames.preprocessing import Channels, Preprocessing
from counterpoint.frames.presets import PRESETS, preset
from counterpoint.frames.recipe import FrameRecipe, Task, read_recipe, recipe_path, write_recipe

same_folder = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150
)
floats = st.floats(-1e6, 1e6, allow_nan=False)
nonzero = st.one_of(st.floats(1e-9, 1e9), st.floats(-1e9, -1e-9))


@st.composite
def preprocessings(draw: st.DrawFn) -> Preprocessing:
    channels: Channels = draw(st.sampled_from(("rgb", "bgr", "gray")))
    count = draw(st.sampled_from((1,) if channels == "gray" else (1, 3)))
    resize: Any = draw(st.sampled_from(("stretch", "short_side", "letterbox", "none")))
    side = st.integers(1, 5000)
    resize_to = {
        "none": st.none(),
        "short_side": st.none() | side,
    }.get(resize, st.none() | side | st.tuples(side, side))
    return Preprocessing(
        channels=channels,
        resize=resize,
        resize_to=draw(resize_to),
        scale=draw(nonzero),
        mean=tuple(draw(st.lists(floats, min_size=count, max_size=count))),
        std=tuple(draw(st.lists(nonzero, min_size=count, max_size=count))),
        layout=draw(st.sampled_from(("NCHW", "NHWC"))),
        invert=draw(st.booleans()),
        pad=draw(st.integers(0, 255)),
    )


names = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0").filter(str.isprintable), min_size=1
).filter(lambda name: name not in {".", ".."} and len(name.encode()) < 200)


@given(preprocessings(), st.sampled_from(("classify", "detect", "raw")), st.none() | names)
@same_folder
def test_there_and_back(
    tmp_path: Path, preprocessing: Preprocessing, task: Task, labels: str | None
) -> None:
    path = tmp_path / "net.preprocess.toml"
    recipe = FrameRecipe(
        preprocessing=preprocessing,
        task=task,
        labels=None if labels is None else tmp_path / labels,
        boxes="offsets" if task == "detect" else "corners",
    )
    write_recipe(path, recipe)
    assert read_recipe(path) == recipe
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def read(tmp_path: Path, text: str) -> FrameRecipe:
    path = tmp_path / "net.preprocess.toml"
    path.write_text(text, encoding="utf-8")
    return read_recipe(path)


def test_a_preset_and_what_overrides_it(tmp_path: Path) -> None:
    recipe = read(
        tmp_path,
        'preset = "caffe"\nmean = [1, 2.5, 3]\ntask = "classify"\nlabels = "words.txt"\n',
    )
    assert recipe.preprocessing.mean == (1.0, 2.5, 3.0)
    assert recipe.preprocessing.channels == "bgr"
    assert recipe.preprocessing.resize_to == (256, 256)
    assert recipe.task == "classify"
    assert recipe.labels == tmp_path / "words.txt"


@pytest.mark.parametrize("name", PRESETS)
def test_presets_alone(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, f'preset = "{name}"').preprocessing == preset(name)


def test_recipe_lies_beside_the_model() -> None:
    assert recipe_path(Path("a/net.onnx")) == Path("a/net.preprocess.toml")
    assert recipe_path(Path("squeezenet_v1.1.onnx")) == Path("squeezenet_v1.1.preprocess.toml")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("chanels = 'rgb'", "unknown key 'chanels'; known: preset, task"),
        ("channels = 'xyz'", "channels: "),
        ("channels = 3", "channels: "),
        ("preset = 'torch'", "unknown preset 'torch'"),
        ("task = 'segment'", "task: "),
        ("scale = '0.5'", "scale: "),
        ("scale = true", "scale: "),
        ("scale = nan", "scale: "),
        ("scale = 0", "must not be 0"),
        ("mean = 5", "mean: "),
        ("mean = ['a']", "mean: "),
        ("mean = [1, 2]", "mean has 2 values"),
        ("std = [0]", "must not be 0"),
        ("std = []", "std has 0 values"),
        ("std = [inf]", "std: "),
        ("resize_to = 1.5", "resize_to: "),
        ("resize_to = true", "resize_to: "),
        ("resize_to = [1, 2, 3]", "resize_to: "),
        ("resize_to = -1", "1 to 65536"),
        ("pad = 300", "pad is 300"),
        ("invert = 1", "invert: "),
        ("labels = ''", "labels: "),
        ("labels = '../secret.txt'", "the name of a file beside it"),
        ("labels = '/etc/passwd'", "the name of a file beside it"),
        ("labels = '..'", "the name of a file beside it"),
        ('labels = "a\\u0000b"', "the name of a file beside it"),
        ("[labels]\nx = 1", "labels: "),
        ("scale = 1\nscale = 2", "not TOML"),
        ("this is no toml", "not TOML"),
        ("x = " + "[" * 5000, "not TOML"),
        ("scale = " + "9" * 5000, "not TOML"),
        ("# " + "x" * 2**16, "limit"),
    ],
)
def test_what_a_file_must_not_say(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(FrameError, match=reason) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(str(tmp_path / "net.preprocess.toml"))
    assert str(caught.value).isprintable()


@given(st.binary(max_size=200))
@same_folder
def test_hostile_bytes(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.preprocess.toml"
    path.write_bytes(data)
    try:
        read_recipe(path)
    except FrameError as error:
        assert str(error).isprintable()


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inside: st.lists(inside, max_size=3),
    max_leaves=5,
).filter(lambda value: value is not None)


@given(
    st.sampled_from(("preset", "task", "labels", "boxes", "resize_to", "scale", "mean", "pad")),
    json_like,
)
@same_folder
def test_any_value_of_any_key(tmp_path: Path, key: str, value: object) -> None:
    def toml(item: object) -> str:
        if isinstance(item, list):
            return "[" + ", ".join(toml(inside) for inside in item if inside is not None) + "]"
        if isinstance(item, str):
            return '"' + "".join(f"\\U{ord(letter):08x}" for letter in item) + '"'
        return str(item).lower()

    try:
        read(tmp_path, f"{key} = {toml(value)}")
    except FrameError as error:
        assert str(error).isprintable()


def test_labels_elsewhere_are_not_written(tmp_path: Path) -> None:
    recipe = FrameRecipe(preprocessing=preset("raw"), labels=tmp_path / "words.txt")
    (tmp_path / "inside").mkdir()
    with pytest.raises(FrameError, match="labels must lie beside"):
        write_recipe(tmp_path / "inside" / "net.preprocess.toml", recipe)
