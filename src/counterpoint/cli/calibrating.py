"""Frames to quantise a network with, for machines whose units compute in int8."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from counterpoint.errors import UserInputError

if TYPE_CHECKING:
    from counterpoint.engines.protocol import Tensor
    from counterpoint.network.graph import Network

MOST_FRAMES = 256
"""More change no range that matters, and all are held in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationOptions:
    """What ranges of tensors are measured on."""

    calibration: Annotated[
        list[Path] | None,
        Option(
            "--calibration",
            metavar="DIR|FILE...",
            help="With -p: photographs to quantise with, where units compute in int8. Default: "
            "a few seeded frames, which do for time and not for accuracy.",
        ),
    ] = None
    preprocess: Annotated[
        str | None,
        Option(
            "--preprocess",
            metavar="PRESET|FILE.toml",
            help="How these photographs become inputs. Default: MODEL's .preprocess.toml.",
        ),
    ] = None

    def frames(self, network: Network, model: Path | None) -> list[Mapping[str, Tensor]] | None:
        """The frames; ``None`` where the user gives none.

        Args:
            network: What they are for.
            model: Its file, beside which a recipe may lie.

        Raises:
            FrameError: An image cannot be used, or nobody says how.
            UserInputError: ``--preprocess`` without images.
        """
        from counterpoint.cli.frame_source import chosen_recipe, image_frames

        if self.calibration is None:
            if self.preprocess is not None:
                raise UserInputError("--preprocess is for the images of --calibration")
            return None
        recipe = chosen_recipe(self.preprocess, model)
        found = image_frames(network, self.calibration, recipe, model)
        return [frame.inputs for frame, _ in zip(found, range(MOST_FRAMES), strict=False)]
