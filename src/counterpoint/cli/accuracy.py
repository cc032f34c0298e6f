"""The options of an accuracy budget: what may be lost, and the images to judge by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from counterpoint.errors import UserInputError

if TYPE_CHECKING:
    from counterpoint.api import BudgetOptions
    from counterpoint.network.graph import Network
    from counterpoint.tuning.accuracy import LabelledFrames


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyOptions:
    """How much accuracy a plan may cost, and by which images."""

    max_drop: Annotated[
        float | None,
        Option(
            "--max-drop",
            metavar="POINTS",
            help="The plan may lose so many percentage points of top-1: by --labels, or without "
            "them of images whose best class changes. Units may then compute in any precision.",
        ),
    ] = None
    min_sqnr_db: Annotated[
        float | None,
        Option(
            "--min-sqnr-db",
            metavar="DB",
            help="The same as a ratio of the outputs' power to the noise in them.",
        ),
    ] = None
    calibration: Annotated[
        list[Path] | None,
        Option(
            "--calibration",
            metavar="DIR|FILE...",
            help="Photographs for a budget: some calibrate int8, the others are held back to "
            "verify the plan. A folder of folders that are called by their class has labels.",
        ),
    ] = None
    labels: Annotated[
        Path | None,
        Option(
            "--labels", metavar="FILE", help="Their classes: a line for each image, 'cat.jpg 281'."
        ),
    ] = None
    held_back: Annotated[
        float | None,
        Option(
            "--held-back", metavar="FRACTION", help="Part of them to verify with. Default: 0.5."
        ),
    ] = None
    pareto: Annotated[
        Path | None,
        Option("--pareto", metavar="FILE.svg", help="Draw time against noise of what was tried."),
    ] = None

    @property
    def wanted(self) -> bool:
        """There is a budget.

        Raises:
            UserInputError: Part of one.
        """
        budget = self.max_drop is not None or self.min_sqnr_db is not None
        if budget and not self.calibration:
            given = "--max-drop" if self.max_drop is not None else "--min-sqnr-db"
            raise UserInputError(
                f"{given} needs photographs to calibrate and to verify with: give --calibration DIR"
            )
        rest = {
            "--calibration": self.calibration,
            "--labels": self.labels,
            "--held-back": self.held_back,
            "--pareto": self.pareto,
        }
        for option, value in rest.items():
            if value is not None and not budget:
                raise UserInputError(
                    f"{option} is for an accuracy budget: give --max-drop or --min-sqnr-db"
                )
        return budget

    def options(self) -> BudgetOptions:
        """The budget."""
        options: BudgetOptions = {"max_drop": self.max_drop, "min_sqnr_db": self.min_sqnr_db}
        if self.held_back is not None:
            options["held_back"] = self.held_back
        return options

    def images(
        self, network: Network, preprocess: str | None, model: Path | None
    ) -> LabelledFrames:
        """The images, with labels where there are any.

        Args:
            network: What sees them.
            preprocess: How they become inputs; ``None``: as the recipe beside the model says.
            model: Its file.

        Raises:
            FrameError: No image, one that cannot be used, or labels that do not fit.
            UserInputError: The network has several images a frame.
        """
        from counterpoint.cli.frame_source import chosen_recipe, image_frames
        from counterpoint.frames.ground_truth import (
            folders_of_classes,
            labels_of,
            read_ground_truth,
        )
        from counterpoint.frames.images import find_images
        from counterpoint.frames.labels import read_labels
        from counterpoint.tuning.accuracy import LabelledFrames
        from counterpoint.tuning.mixed_precision import check_single

        check_single(network)
        recipe = chosen_recipe(preprocess, model)
        named = recipe.labels if recipe is not None else None
        classes = read_labels(named) if named is not None else ()
        places = list(self.calibration or ())
        labels: tuple[int, ...] | None = None
        parted = folders_of_classes(places[0], classes) if len(places) == 1 else None
        if parted is not None and self.labels is None:
            images, labels = parted
        else:
            images = find_images(places)
        if self.labels is not None:
            truth = read_ground_truth(self.labels, classes)
            labels = labels_of(images, truth, self.labels)
        frames = [frame.inputs for frame in image_frames(network, images, recipe, model)]
        return LabelledFrames(tuple(frames), labels, tuple(path.name for path in images))
