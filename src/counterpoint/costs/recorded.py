"""Recorded stages as costs of a network's layers.

A stage's whole time and energy are put on its main layer, the one with the most multiply-adds, and
its other layers cost nothing: where inside a stage the time goes nobody measured. A plan that cuts
inside a stage is therefore not cheaper than one that cuts at its end, but for what is moved.
"""

from __future__ import annotations

from collections.abc import Sequence

from counterpoint.costs.column import Column
from counterpoint.costs.stage_network import is_stages_of
from counterpoint.errors import PlatformFileError
from counterpoint.network.graph import Network
from counterpoint.platform.file_content import PlatformFile
from counterpoint.platform.file_faults import quoted
from counterpoint.platform.recorded_network import RecordedNetwork, StageTimes

BETWEEN = ".."

StageLayers = tuple[tuple[int, ...], ...]
"""For each stage the indices of its layers, ascending."""


def stage_layers(
    platform: PlatformFile, recorded: RecordedNetwork, network: Network
) -> StageLayers:
    """Which layers of a network each recorded stage consists of.

    Args:
        platform: The file.
        recorded: One of its records.
        network: The recorded network, or the chain of its stages.

    Raises:
        PlatformFileError: A stage names a layer that is not, or a layer is in no stage or in two.
    """
    if is_stages_of(network, recorded):
        return tuple((layer.index,) for layer in network.layers)
    where = f"{platform.where}: key 'networks.{platform.networks.index(recorded)}.stages"
    place = {layer.name: layer.index for layer in network.layers}
    stage_of: dict[int, str] = {}
    found: list[tuple[int, ...]] = []
    for number, stage in enumerate(recorded.stages):
        if stage.layers is None:
            raise PlatformFileError(
                f"{where}' do not say which layers they are; use the network "
                f"recorded:{recorded.name}"
            )
        key = f"{where}.{number}.layers'"
        ends = [
            _index(key, end, place, len(network.layers)) for end in stage.layers.split(BETWEEN, 1)
        ]
        if ends[0] > ends[-1]:
            raise PlatformFileError(f"{key}: {quoted(stage.layers)} runs backwards")
        indices = tuple(range(ends[0], ends[-1] + 1))
        for index in indices:
            if index in stage_of:
                raise PlatformFileError(
                    f"{key}: layer {quoted(network.layers[index].name)} of {network.name} is in "
                    f"two stages, {stage_of[index]} and {stage.name}"
                )
            stage_of[index] = stage.name
        found.append(indices)
    missing = [layer.name for layer in network.layers if layer.index not in stage_of]
    if missing:
        raise PlatformFileError(
            f"{where}': layer {quoted(missing[0])} of {network.name} is in no stage"
        )
    return tuple(found)


def _index(key: str, text: str, place: dict[str, int], count: int) -> int:
    if text in place:
        return place[text]
    if text.startswith("#") and text[1:].isdecimal() and int(text[1:]) < count:
        return int(text[1:])
    raise PlatformFileError(
        f"{key}: the network has no layer {quoted(text)}; it has {count}, from "
        f"{quoted(next(iter(place), ''))} on"
    )


def recorded_column(
    network: Network,
    stages: StageLayers,
    times: StageTimes,
    *,
    scale_to_whole: bool,
    idle_power_mw: float | None,
) -> Column:
    """Costs of the network's layers on the unit of a record.

    Args:
        network: What is run.
        stages: Its layers by stage.
        times: The record.
        scale_to_whole: Stage times are scaled to sum up to the whole run's, if there is one.
        idle_power_mw: Taken off the recorded power; ``None``: it stands as it was recorded, idle
            power included.
    """
    layer_ns: list[int | None] = [0] * len(network.layers)
    energy_pj: list[int | None] = [0 if times.power_mw else None] * len(network.layers)
    refusals: dict[int, str] = {}
    scale = _scale(times) if scale_to_whole else 1.0
    for number, (layers, time_ms) in enumerate(zip(stages, times.task_ms, strict=True)):
        if isinstance(time_ms, str):
            for index in layers:
                layer_ns[index] = energy_pj[index] = None
                refusals[index] = time_ms
            continue
        main = _main_layer(network, layers)
        time_ns = round(time_ms * 1e6 * scale)
        layer_ns[main] = time_ns
        if times.power_mw:
            power_mw = max(0.0, times.power_mw[number] - (idle_power_mw or 0.0))
            energy_pj[main] = round(power_mw * time_ns)
    return Column(
        layer_ns, energy_pj, refusals, _nanoseconds(times.input_ms), _nanoseconds(times.output_ms)
    )


def _scale(times: StageTimes) -> float:
    known = [time_ms for time_ms in times.task_ms if not isinstance(time_ms, str)]
    if times.whole_ms is None or len(known) < len(times.task_ms) or not sum(known):
        return 1.0
    return times.whole_ms / sum(known)


def _main_layer(network: Network, layers: Sequence[int]) -> int:
    return max(layers, key=lambda index: (network.layers[index].macs, -index))


def _nanoseconds(time_ms: float | None) -> int | None:
    return None if time_ms is None else round(time_ms * 1e6)
