"""Which units of a platform file have an arithmetic of their own."""

from __future__ import annotations

from counterpoint.costs.modelled import unit_models
from counterpoint.engines.npu.arithmetic import Arithmetic, arithmetic_of
from counterpoint.platform.file_content import PlatformFile


def arithmetics(platform: PlatformFile) -> dict[str, Arithmetic]:
    """By the names of units, with their clock steps where they have some.

    Raises:
        PlatformFileError: The parameters of a unit's cost model are wrong.
    """
    found = {name: arithmetic_of(model) for name, model in unit_models(platform).items()}
    return {name: arithmetic for name, arithmetic in found.items() if arithmetic is not None}
