"""Every publication that can be reproduced, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from counterpoint.errors import UserInputError
from counterpoint.reproduce import (
    dual_core,
    layer_switching,
    npu_latencies,
    six_processors,
    squeezenet_pipeline,
    two_googlenets,
)
from counterpoint.reproduce.figure import Reproduction

REPRODUCTIONS: Mapping[str, Callable[[], Reproduction]] = {
    layer_switching.NAME: layer_switching.layer_switching,
    squeezenet_pipeline.NAME: squeezenet_pipeline.squeezenet_pipeline,
    two_googlenets.NAME: two_googlenets.two_googlenets,
    six_processors.NAME: six_processors.six_processors,
    npu_latencies.NAME: npu_latencies.npu_latencies,
    dual_core.NAME: dual_core.dual_core,
}


def reproduce(name: str | None = None) -> tuple[Reproduction, ...]:
    """The publication of that name, or all of them.

    Raises:
        UserInputError: There is none of that name.
    """
    if name is None:
        return tuple(made() for made in REPRODUCTIONS.values())
    if name not in REPRODUCTIONS:
        raise UserInputError(
            f"nothing to reproduce is called {name!r}; there are: {', '.join(REPRODUCTIONS)}"
        )
    return (REPRODUCTIONS[name](),)
