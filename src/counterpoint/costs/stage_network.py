"""A network that is only known as recorded stages: a chain of layers without a model behind it.

Planners and the simulator need no more; what would run it is told that there is nothing to run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from counterpoint.errors import PlatformFileError, UserInputError
from counterpoint.network.graph import Layer, Network, TensorSpec
from counterpoint.platform.file_content import PlatformFile
from counterpoint.platform.recorded_network import RecordedNetwork

RECORDED = "recorded:"
"""How such a network is called: ``recorded:alexnet``."""

INPUT = "input"


class NoModel:
    """A graph source without a graph."""

    def __init__(self, name: str) -> None:
        self._name = name

    def write_onnx(
        self, nodes: Sequence[int], inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
    ) -> Path:
        """Refuses: there is no model.

        Raises:
            UserInputError: Always.
        """
        raise UserInputError(
            f"{RECORDED}{self._name} is a table of stages without a model: it can be planned and "
            "simulated, not run"
        )

    def node_labels(self, node: int) -> tuple[str, ...]:
        """None."""
        return ()


def stage_network(platform: PlatformFile, name: str) -> Network:
    """The chain of stages that a platform recorded for a network.

    Its tensors are float32 vectors of the recorded sizes; of unknown shape where no size is known.

    Args:
        platform: Whose record.
        name: The network's, with or without ``recorded:``.

    Raises:
        PlatformFileError: Nothing was recorded of it.
    """
    plain = name.removeprefix(RECORDED)
    recorded = platform.recorded(plain)
    if recorded is None:
        known = ", ".join(item.name for item in platform.networks) or "none"
        raise PlatformFileError(
            f"{platform.where} has no record of {plain[:60]!r}; recorded are: {known}"
        )
    return _chain(recorded)


def _chain(recorded: RecordedNetwork) -> Network:
    names = [INPUT, *(f"{stage.name}/output" for stage in recorded.stages)]
    sizes = [None, *(stage.output_bytes for stage in recorded.stages)]
    tensors = {
        name: TensorSpec(name, "float32", None if size is None else (size // 4,))
        for name, size in zip(names, sizes, strict=True)
    }
    digest = hashlib.blake2b(repr((recorded.name, recorded.stages)).encode(), digest_size=16)
    layers = tuple(
        Layer(
            index=index,
            name=stage.name,
            kind="Stage",
            operators=("Stage",),
            nodes=(index,),
            inputs=(names[index],),
            outputs=(names[index + 1],),
            macs=0,
            weight_bytes=0,
            input_bytes=sizes[index],
            output_bytes=sizes[index + 1],
            quantised=False,
            signature=f"{digest.hexdigest()}.{index}",
        )
        for index, stage in enumerate(recorded.stages)
    )
    return Network(
        name=recorded.name,
        inputs=(tensors[names[0]],),
        outputs=(tensors[names[-1]],),
        layers=layers,
        tensors=tensors,
        content_hash=digest.hexdigest(),
        source=NoModel(recorded.name),
    )


def is_stages_of(network: Network, recorded: RecordedNetwork) -> bool:
    """The network is the chain of exactly these stages."""
    return isinstance(network.source, NoModel) and [layer.name for layer in network.layers] == [
        stage.name for stage in recorded.stages
    ]
