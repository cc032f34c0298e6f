"""LoadGen's sample library: images by number, in memory while they are needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from counterpoint.bench.loadgen.settings import OFFICIAL_SAMPLES
from counterpoint.engines.protocol import Tensor
from counterpoint.errors import InternalError


@dataclass(slots=True)
class Samples:
    """Images, each as a frame of one.

    Attributes:
        count: How many there are; numbered from 0.
        load: Makes the inputs of one by name, each of shape ``(1, ...)``.
        batch: Images in a frame of the plan.
        in_memory: Those that are loaded.
    """

    count: int
    load: Callable[[int], Mapping[str, Tensor]]
    batch: int = 1
    in_memory: dict[int, Mapping[str, Tensor]] = field(default_factory=dict)

    @property
    def kept(self) -> int:
        """How many are kept in memory at most."""
        return min(self.count, OFFICIAL_SAMPLES)

    def bring(self, indices: Sequence[int]) -> None:
        """Loads them.

        Raises:
            FrameError: An image cannot be used.
        """
        for index in indices:
            if index not in self.in_memory:
                self.in_memory[index] = self.load(index)

    def drop(self, indices: Sequence[int]) -> None:
        """Forgets them."""
        for index in indices:
            self.in_memory.pop(index, None)

    def frame(self, indices: Sequence[int]) -> Mapping[str, Tensor]:
        """A frame of these images; the last is repeated to fill it up."""
        if not 1 <= len(indices) <= self.batch:
            raise InternalError(f"{len(indices)} images in a frame of {self.batch}")
        if self.batch == 1:
            return self.in_memory[indices[0]]
        filled = [*indices, *[indices[-1]] * (self.batch - len(indices))]
        images = [self.in_memory[index] for index in filled]
        return {name: np.concatenate([image[name] for image in images]) for name in images[0]}
