"""What tuning means, in plain sentences: what is best here, and by how much."""

from __future__ import annotations

from counterpoint.measure.sampling import Comparison
from counterpoint.tuning.candidates import Candidate
from counterpoint.tuning.tune import TuneResult


def verdict(result: TuneResult) -> str:
    """Some sentences: the best plan, against the best single unit, against today's defaults."""
    return " ".join([_best(result), *_against_installed(result)])


def _best(result: TuneResult) -> str:
    segments = result.plan.lanes[0].segments
    units = result.plan.units
    if len(segments) > 1:
        return f"A mix of units is best: {result.winner}{_gain_of_mix(result)}."
    if len(result.table.units) == 1:
        return f"{units[0]} is the only unit that was asked for."
    return f"{units[0]} alone is best: {_why_alone(result)}."


def _gain_of_mix(result: TuneResult) -> str:
    """By how much the mix beats the best unit alone, on the clock where both ran there."""
    singles = [candidate for candidate in result.candidates if len(candidate.segments) == 1]
    if not singles:
        return "; no unit runs the whole network alone"
    measured = [single for single in singles if single.label in result.comparison.samples]
    if measured:
        best = min(measured, key=lambda single: _median_ns(result.comparison, single.label))
        ratio, low, high = result.comparison.ratio(best.label, result.winner)
        return f", {_times(ratio, low, high)} as fast as {best.label} alone"
    own = next(c for c in result.candidates if c.label == result.winner)
    best = min(singles, key=lambda single: single.latency_ns)
    return f", {best.latency_ns / own.latency_ns:.2f} times as fast as {best.label} alone"


def _why_alone(result: TuneResult) -> str:
    mixes = [candidate for candidate in result.candidates if len(candidate.segments) > 1]
    if not mixes:
        return "no mix of units is faster by the measured costs"
    compared = [mix for mix in mixes if mix.label in result.comparison.samples]
    if compared:
        nearest = min(compared, key=lambda mix: _median_ns(result.comparison, mix.label))
        ratio, _, _ = result.comparison.ratio(nearest.label, result.winner)
        return f"the best mix ({nearest.label}) takes {ratio:.2f} times as long"
    refused = [mix for mix in mixes if _was_rejected(result, mix)]
    if refused:
        return "the mixes that were faster compute something else than the reference"
    own = next(c for c in result.candidates if c.label == result.winner)
    nearest = min(mixes, key=lambda mix: mix.latency_ns)
    ratio = nearest.latency_ns / own.latency_ns
    return f"the best mix ({nearest.label}) takes {ratio:.2f} times as long"


def _was_rejected(result: TuneResult, candidate: Candidate) -> bool:
    return any(line.startswith(candidate.label) for line in result.rejected)


def _against_installed(result: TuneResult) -> list[str]:
    return [
        _against(name, *result.comparison.ratio(name, result.winner)) for name in result.installed
    ]


def _against(name: str, ratio: float, low: float, high: float) -> str:
    """One sentence on a default that takes ``ratio`` times as long as the plan."""
    if low <= 1 <= high:
        return f"Against {name} there is no clear difference ({low:.2f} to {high:.2f} times)."
    if ratio > 1:
        return f"It is {_times(ratio, low, high)} as fast as {name}."
    return f"But {name} is {_times(1 / ratio, 1 / high, 1 / low)} as fast as this plan."


def _times(ratio: float, low: float, high: float) -> str:
    return f"{ratio:.2f} times ({low:.2f} to {high:.2f})"


def _median_ns(comparison: Comparison, label: str) -> int:
    return comparison.samples[label].median_ns
