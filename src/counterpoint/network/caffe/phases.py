"""Which layers belong to the network in a phase, by their ``include`` and ``exclude`` rules.

The rules are those of Caffe's ``Net::FilterNet`` and ``Net::StateMeetsRule``.
"""

from __future__ import annotations

from counterpoint.errors import ModelFileError
from counterpoint.network.caffe.schema import caffe_pb2 as pb


def state_of(head: pb.NetHead, phase: str) -> pb.NetState:
    """The file's own state (level, stages) in that phase.

    Raises:
        ModelFileError: There is no such phase.
    """
    if phase not in ("TRAIN", "TEST"):
        raise ModelFileError(f"there is no phase {phase!r}; known: TEST, TRAIN")
    state = pb.NetState()
    state.CopyFrom(head.state)
    state.phase = pb.TEST if phase == "TEST" else pb.TRAIN
    return state


def takes_part(layer: pb.LayerParameter, state: pb.NetState) -> bool:
    """The layer is there in that state.

    Raises:
        ModelFileError: It has both kinds of rules.
    """
    if layer.include and layer.exclude:
        raise ModelFileError(f"layer {layer.name!r} has include and exclude rules; one kind only")
    if layer.include:
        return any(_meets(state, rule) for rule in layer.include)
    return not any(_meets(state, rule) for rule in layer.exclude)


def _meets(state: pb.NetState, rule: pb.NetStateRule) -> bool:
    if rule.HasField("phase") and rule.phase != state.phase:
        return False
    if rule.HasField("min_level") and state.level < rule.min_level:
        return False
    if rule.HasField("max_level") and state.level > rule.max_level:
        return False
    stages = set(state.stage)
    return stages.issuperset(rule.stage) and stages.isdisjoint(rule.not_stage)
