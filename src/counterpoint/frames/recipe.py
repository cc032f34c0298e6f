"""The file beside a model that says what goes in and what the outputs mean.

``squeezenet.onnx`` has ``squeezenet.preprocess.toml``::

    preset = "caffe"              # optional; the keys below override it
    resize_to = [256, 256]
    mean = [104, 117, 123]
    task = "classify"
    labels = "synset_words.txt"   # beside this file
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from counterpoint.errors import FrameError
from counterpoint.frames.detections import BoxForm
from counterpoint.frames.files import printable, read_whole, write_whole
from counterpoint.frames.placement import Resize
from counterpoint.frames.preprocessing import Channels, Layout, Preprocessing
from counterpoint.frames.presets import preset

Task = Literal["classify", "detect", "raw"]

_SUFFIX = ".preprocess.toml"
_MAX_FILE_BYTES = 2**16


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameRecipe:
    """What goes into a network and what comes out.

    Attributes:
        preprocessing: From a photograph to the input.
        task: ``classify``: the output is scores of classes; ``detect``: scores and boxes of
            faces; ``raw``: tensors, and nothing is known about them.
        labels: File of the class names.
        boxes: For ``detect``: the form of the boxes.
    """

    preprocessing: Preprocessing
    task: Task = "raw"
    labels: Path | None = None
    boxes: BoxForm = "corners"

    def to_toml(self) -> str:
        """The file's text, every key spelt out; ``labels`` by its name, to lie beside the file."""
        values: dict[str, object] = {"task": self.task}
        if self.labels is not None:
            values["labels"] = self.labels.name
        if self.task == "detect":
            values["boxes"] = self.boxes
        for field in fields(self.preprocessing):
            value = getattr(self.preprocessing, field.name)
            if value is not None:
                values[field.name] = value
        return "".join(f"{key} = {_toml(value)}\n" for key, value in values.items())


class _RecipeFile(BaseModel):
    """The keys of the file and their types; ranges are the dataclasses' business."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    preset: str = "raw"
    task: Task = "raw"
    labels: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    boxes: BoxForm = "corners"
    channels: Channels = "rgb"
    resize: Resize = "stretch"
    resize_to: int | tuple[int, int] | None = None
    scale: float = 1.0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    layout: Layout = "NCHW"
    invert: bool = False
    pad: int = 0


def recipe_path(model: Path) -> Path:
    """Where the recipe of a model file lies: ``net.onnx`` has ``net.preprocess.toml``."""
    return model.with_name(model.stem + _SUFFIX)


def read_recipe(path: Path) -> FrameRecipe:
    """Reads a recipe.

    Raises:
        FrameError: The file is missing or no TOML, a key is unknown, a value has the wrong type or
            is out of range, or ``labels`` is not beside the file; the message names the key.
    """
    data = read_whole(path, max_bytes=_MAX_FILE_BYTES)
    try:
        table = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise FrameError(f"{printable(path)}: not TOML ({printable(error)})") from None
    try:
        file = _RecipeFile.model_validate(
            {
                key: tuple(value) if isinstance(value, list) else value
                for key, value in table.items()
            }
        )
    except ValidationError as error:
        raise FrameError(f"{printable(path)}: {_first_problem(error)}") from None
    given = file.model_dump(include=file.model_fields_set & _PREPROCESSING_KEYS)
    try:
        preprocessing = replace(preset(file.preset), **given)
    except FrameError as error:
        raise FrameError(f"{printable(path)}: {error}") from None
    return FrameRecipe(
        preprocessing=preprocessing,
        task=file.task,
        labels=None if file.labels is None else _beside(path, file.labels),
        boxes=file.boxes,
    )


def write_recipe(path: Path, recipe: FrameRecipe) -> None:
    """Writes a recipe; the file is whole or not there.

    Raises:
        FrameError: The labels do not lie in the same folder, so that the file could not name them.
        MachineError: It cannot be written here.
    """
    labels = recipe.labels
    if labels is not None and labels.resolve().parent != path.resolve().parent:
        raise FrameError(f"{printable(labels)}: labels must lie beside {printable(path)}")
    write_whole(path, recipe.to_toml().encode("utf-8"))


_PREPROCESSING_KEYS = {field.name for field in fields(Preprocessing)}


def _beside(path: Path, labels: str) -> Path:
    """A stranger's recipe must not name files elsewhere."""
    if Path(labels).name != labels or labels == ".." or not labels.isprintable():
        raise FrameError(
            f"{printable(path)}: labels is {printable(labels)!r}; the name of a file beside it "
            "is wanted"
        )
    return path.with_name(labels)


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False)[0]
    key = printable(problem["loc"][0]) if problem["loc"] else "file"
    if problem["type"] == "extra_forbidden":
        return f"unknown key {key!r}; known: {', '.join(_RecipeFile.model_fields)}"
    return f"{key}: {problem['msg'][:1].lower()}{problem['msg'][1:]}"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return repr(value)
