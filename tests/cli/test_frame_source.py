from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from counterpoint.cli.frame_source import batch_of, chosen_recipe, image_frames, tensor_frames
from counterpoint.errors import CounterpointError, FrameError, UserInputError
from counterpoint.frames.preprocessing import Preprocessing
from counterpoint.frames.recipe import FrameRecipe, write_recipe
from counterpoint.network.graph import Network
from tests.fake_engine import fake_network

RAW = FrameRecipe(preprocessing=Preprocessing())


def photographs(folder: Path, count: int) -> list[Path]:
    paths = []
    for number in range(count):
        paths.append(folder / f"{number}.png")
        cv2.imwrite(str(paths[-1]), np.full((6, 5, 3), 10 * number, np.uint8))
    return paths


def network(batch: int = 1) -> Network:
    return fake_network([["x"]], shape=(batch, 3, 4, 4))


def test_each_photograph_is_a_frame(tmp_path: Path) -> None:
    paths = photographs(tmp_path, 3)
    frames = list(image_frames(network(), [tmp_path], RAW, None))
    assert [frame.names for frame in frames] == [(str(path),) for path in paths]
    for number, frame in enumerate(frames):
        assert frame.inputs["x"].shape == (1, 3, 4, 4)
        assert (frame.inputs["x"] == 10 * number).all()
        assert frame.placements[0].image == (6, 5)


def test_a_batch_is_filled_up_with_the_last_photograph(tmp_path: Path) -> None:
    paths = photographs(tmp_path, 3)
    first, last = image_frames(network(batch=2), paths, RAW, None)
    assert first.names == (str(paths[0]), str(paths[1]))
    assert last.names == (str(paths[2]),)
    assert last.inputs["x"].shape == (2, 3, 4, 4)
    assert (last.inputs["x"] == 20).all()
    assert len(last.placements) == 1


def test_preprocessing_is_never_guessed(tmp_path: Path) -> None:
    with pytest.raises(FrameError, match=r"imagenet\|caffe.*net\.preprocess\.toml"):
        image_frames(network(), photographs(tmp_path, 1), None, tmp_path / "net.onnx")


def test_photographs_are_for_networks_of_one_input(tmp_path: Path) -> None:
    both = fake_network([["x", "y"]], inputs=("x", "y"))
    with pytest.raises(UserInputError, match="NAME=FILE"):
        image_frames(both, photographs(tmp_path, 1), RAW, None)


def test_a_recipe_comes_from_the_option_then_from_beside_the_model(tmp_path: Path) -> None:
    model = tmp_path / "net.onnx"
    assert chosen_recipe(None, model) is None
    assert chosen_recipe(None, None) is None
    write_recipe(tmp_path / "net.preprocess.toml", FrameRecipe(preprocessing=RAW.preprocessing))
    assert chosen_recipe(None, model) == RAW
    caffe = chosen_recipe("caffe", model)
    assert caffe is not None
    assert caffe.preprocessing.channels == "bgr"
    assert chosen_recipe(str(tmp_path / "net.preprocess.toml"), None) == RAW
    with pytest.raises(FrameError, match="unknown preset"):
        chosen_recipe("nonsense", model)


def test_tensor_files_are_frames(tmp_path: Path) -> None:
    made = network()
    for number in range(2):
        np.save(tmp_path / f"{number}.npy", np.full((1, 3, 4, 4), number, np.float32))
    frames = list(tensor_frames(made, [str(tmp_path / "0.npy"), f"x={tmp_path / '1.npy'}"]))
    assert [frame.names for frame in frames] == [
        (str(tmp_path / "0.npy"),),
        (str(tmp_path / "1.npy"),),
    ]
    assert [float(frame.inputs["x"].max()) for frame in frames] == [0.0, 1.0]


def test_several_inputs_need_as_many_files_each(tmp_path: Path) -> None:
    both = fake_network([["x", "y"]], inputs=("x", "y"))
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((1, 4), np.float32))
    (frame,) = tensor_frames(both, [f"x={path}", f"y={path}"])
    assert set(frame.inputs) == {"x", "y"}
    with pytest.raises(FrameError, match="1 for x, 0 for y"):
        tensor_frames(both, [f"x={path}"])
    with pytest.raises(UserInputError, match="NAME=FILE"):
        tensor_frames(both, [str(path)])


def test_a_tensor_of_another_shape_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((1, 3, 4, 5), np.float32))
    with pytest.raises(CounterpointError, match="input 'x' takes"):
        list(tensor_frames(network(), [str(tmp_path / "a.npy")]))


def test_the_batch_is_what_all_inputs_share() -> None:
    assert batch_of(network(batch=5)) == 5
    assert batch_of(fake_network([["x"]], shape=())) == 1
