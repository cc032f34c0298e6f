"""What lifting refusals would gain, in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from counterpoint.network.graph import Network
from counterpoint.planning.lifting import Gain
from counterpoint.report.document import JSON
from counterpoint.report.quantities import duration, percent

WORTH_TELLING = 0.001
"""A gain below this part of the latency is no reason to change hardware."""


def gains_body(gains: Sequence[Gain]) -> list[JSON]:
    """For programs."""
    return [
        {
            "unit": gain.lift.unit,
            "refused_because": gain.lift.reason,
            "predicted_ns": {str(layer): time for layer, time in gain.lift.predicted_ns.items()},
            "would_run_there": list(gain.moved),
            "predicted_latency_ns": gain.after_ns,
            "latency_ns": gain.before_ns,
            "share": gain.share,
        }
        for gain in gains
    ]


def gain_lines(network: Network, gains: Sequence[Gain]) -> list[str]:
    """For people: one line for each gain, and how it is estimated."""
    if not gains:
        return []
    lines = [_line(network, gain) for gain in gains if _is_told(gain)]
    rest = len(gains) - len(lines)
    if rest:
        others = f"the others ({rest})" if lines else f"them ({rest})"
        lines.append(f"lifting any of {others} by itself would gain nothing")
    return [
        "what lifting refusals would gain, predicted: the best plan again, the refused layers at",
        "what the unit takes at best (its roofline)",
        *(f"  {line}" for line in lines),
    ]


def _is_told(gain: Gain) -> bool:
    if gain.after_ns is None:
        return False
    return gain.share is None or gain.share >= WORTH_TELLING


def _line(network: Network, gain: Gain) -> str:
    kinds = Counter(network.layers[layer].kind for layer in gain.lift.predicted_ns)
    if gain.lift.reason is None:
        what = f"all that it refuses ({_layers(sum(kinds.values()))})"
    else:
        named = ", ".join(f"{kind} x {number}" for kind, number in kinds.items())
        what = f"{named} ({gain.lift.reason})"
    after = duration(gain.after_ns)
    if gain.share is None:
        return f"if {gain.lift.unit} ran {what}, there would be a plan: {after}"
    less = percent(gain.share)
    return f"if {gain.lift.unit} ran {what}, the network would take {less} less: {after}"


def _layers(number: int) -> str:
    return "1 layer" if number == 1 else f"{number} layers"
