"""Frames from what the user names: photographs with preprocessing, or tensor files as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from counterpoint.engines.protocol import Tensor
from counterpoint.errors import FrameError, UserInputError
from counterpoint.frames.images import find_images, read_image
from counterpoint.frames.placement import Placement
from counterpoint.frames.presets import PRESETS, preset
from counterpoint.frames.recipe import FrameRecipe, Task, read_recipe, recipe_path
from counterpoint.frames.tensors import read_tensor, static_shape
from counterpoint.network.graph import Network, TensorSpec


@dataclass(frozen=True, slots=True)
class NamedFrame:
    """One frame.

    Attributes:
        names: File of each image in it; a last frame that is filled up names only the real ones.
        inputs: Arrays by input name.
        placements: Where the network's input lay on each image; empty for tensor files.
    """

    names: tuple[str, ...]
    inputs: Mapping[str, Tensor]
    placements: tuple[Placement, ...] = ()


def chosen_recipe(preprocess: str | None, model: Path | None) -> FrameRecipe | None:
    """What goes in and comes out, by an option or by the file beside the model.

    Args:
        preprocess: A preset's name or a ``.toml`` file, as the user wrote it.
        model: The model's file; ``None`` for one of the zoo.

    Returns:
        ``None`` where neither is there: nothing is guessed.

    Raises:
        FrameError: There is no such preset, or the file cannot be used.
    """
    if preprocess is not None:
        if preprocess.endswith(".toml"):
            return read_recipe(Path(preprocess))
        task: Task = "detect" if preprocess == "ultraface" else "raw"
        return FrameRecipe(preprocessing=preset(preprocess), task=task)
    if model is not None and recipe_path(model).is_file():
        return read_recipe(recipe_path(model))
    return None


def image_frames(
    network: Network, places: Sequence[Path], recipe: FrameRecipe | None, model: Path | None
) -> Iterator[NamedFrame]:
    """Photographs, as many a frame as the network's batch; the last one is repeated to fill up.

    Args:
        network: With a single input.
        places: Image files and folders of them.
        recipe: How photographs become inputs.
        model: The model's file, to say where a recipe may lie.

    Raises:
        FrameError: At once: no recipe, no image, or more than one input. Later: an image that
            cannot be used.
    """
    if recipe is None:
        beside = "" if model is None else f", or write {recipe_path(model).name} beside the model"
        raise FrameError(
            f"how photographs become inputs is not known: give --preprocess {'|'.join(PRESETS)} or "
            f"a .toml file{beside}"
        )
    spec = _only_input(network)
    images = find_images(places)
    batch = static_shape(spec)[0]

    def frames() -> Iterator[NamedFrame]:
        for start in range(0, len(images), batch):
            paths = images[start : start + batch]
            pixels = [read_image(path) for path in paths]
            placements = tuple(
                recipe.preprocessing.placement((image.shape[0], image.shape[1]), spec)
                for image in pixels
            )
            pixels += [pixels[-1]] * (batch - len(pixels))
            tensor = recipe.preprocessing.apply_batch(pixels, spec)
            yield NamedFrame(tuple(str(path) for path in paths), {spec.name: tensor}, placements)

    return frames()


def tensor_frames(network: Network, texts: Sequence[str]) -> Iterator[NamedFrame]:
    """Frames from ``.npy`` and ``.f32`` files.

    Args:
        network: What they are for.
        texts: ``FILE`` for a network with one input, else ``INPUT=FILE``; the k-th file of each
            input make the k-th frame.

    Raises:
        FrameError: At once: inputs have none, or unlike numbers of files. Later: a file does not
            fit its input.
    """
    files: dict[str, list[Path]] = {spec.name: [] for spec in network.inputs}
    for text in texts:
        name, separator, path = text.partition("=")
        if separator and name in files:
            files[name].append(Path(path))
        else:
            files[_only_input(network).name].append(Path(text))
    counts = {len(paths) for paths in files.values()}
    if len(counts) != 1:
        told = ", ".join(f"{len(paths)} for {name}" for name, paths in files.items())
        raise FrameError(f"every input needs the same number of tensor files; there are {told}")

    def frames() -> Iterator[NamedFrame]:
        for number in range(counts.copy().pop()):
            inputs = {spec.name: read_tensor(files[spec.name][number], spec) for spec in specs}
            name = str(files[specs[0].name][number])
            yield NamedFrame(_numbered(name, batch_of(network)), inputs)

    specs = network.inputs
    return frames()


def batch_of(network: Network) -> int:
    """Images in a frame: the first dimension that all inputs share, else 1."""
    firsts = {spec.shape[0] if spec.shape else 1 for spec in network.inputs}
    return firsts.pop() if len(firsts) == 1 else 1


def _numbered(name: str, batch: int) -> tuple[str, ...]:
    return (name,) if batch == 1 else tuple(f"{name}[{index}]" for index in range(batch))


def _only_input(network: Network) -> TensorSpec:
    if len(network.inputs) != 1:
        names = ", ".join(spec.name for spec in network.inputs)
        raise UserInputError(
            f"{network.name} has {len(network.inputs)} inputs ({names}): give tensor files as "
            "--tensors NAME=FILE for each"
        )
    return network.inputs[0]
