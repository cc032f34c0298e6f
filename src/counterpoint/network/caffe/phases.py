"""Which layers belong to the network in a phase, by their ``include`` and ``exclude`` rules.

The rules are those of Caffe's ``Net::FilterNet`` and ``Net::StateMeetsRule``.
"""

from __future__ import annotations

from dataclasses import dataclass

from counterpoint.errors import ModelFileError
from counterpoint.network.caffe.schema import caffe_pb2 as pb


@dataclass(frozen=True, slots=True)
class State:
    """What rules ask for: ``TEST`` or ``TRAIN`` as the schema's number, a level, and stages."""

    phase: int
    level: int
    stages: frozenset[str]


def state_of(head: pb.NetHead, phase: str) -> State:
    """The file's own state (level, stages) in that phase.

    Raises:
        ModelFileError: There is no such phase.
    """
    if phase not in ("TRAIN", "TEST"):
        raise ModelFileError(f"there is no phase {phase!r}; known: TEST, TRAIN")
    number = pb.TEST if phase == "TEST" else pb.TRAIN
    return State(number, head.state.level, frozenset(head.state.stage))


def takes_part(layer: pb.LayerParameter, state: State) -> bool:
    """The layer is there in that state.

    Raises:
        ModelFileError: It has both kinds of rules.
    """
    if layer.include and layer.exclude:
        raise ModelFileError(f"layer {layer.name!r} has include and exclude rules; one kind only")
    if layer.include:
        return any(_meets(state, rule) for rule in layer.include)
    return not any(_meets(state, rule) for rule in layer.exclude)


def _meets(state: State, rule: pb.NetStateRule) -> bool:
    if rule.HasField("phase") and rule.phase != state.phase:
        return False
    if rule.HasField("min_level") and state.level < rule.min_level:
        return False
    if rule.HasField("max_level") and state.level > rule.max_level:
        return False
    return state.stages.issuperset(rule.stage) and state.stages.isdisjoint(rule.not_stage)
