"""What a plan computes on images, one by one, whatever its batch and lanes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from counterpoint.engines.protocol import Engine, Tensor
from counterpoint.network.graph import Network
from counterpoint.platform.model import Platform
from counterpoint.schedule.plan import Plan
from counterpoint.schedule.session import Session


def plan_outputs(
    network: Network,
    plan: Plan,
    images: Sequence[Mapping[str, Tensor]],
    *,
    platform: Platform,
    engines: Mapping[str, Engine],
) -> list[list[Tensor]]:
    """The outputs of each image.

    All lanes are taken in turn, as they are in use. The last frame is filled up with its last
    image.

    Args:
        network: At the plan's batch, rewritten as the plan has it.
        plan: What runs.
        images: Inputs by name, of one image each.
        platform: Where.
        engines: By name.

    Raises:
        EngineError: An engine failed.
    """
    batch = (network.inputs[0].shape or (1,))[0]
    frames = []
    for start in range(0, len(images), batch):
        group = list(images[start : start + batch])
        group += [group[-1]] * (batch - len(group))
        frames.append(
            {
                spec.name: np.concatenate([np.asarray(image[spec.name]) for image in group])
                if batch > 1
                else group[0][spec.name]
                for spec in network.inputs
            }
        )
    made: list[list[Tensor]] = []
    with Session(network, plan, engines=engines, platform=platform) as session:
        for outputs in session.stream(frames):
            for index in range(batch):
                made.append([_of_image(output, index, batch) for output in outputs])
    return made[: len(images)]


def _of_image(output: Tensor, index: int, batch: int) -> Tensor:
    return output if batch == 1 else output[index : index + 1]
