"""Whole networks in int8 against fp32 and bf16: accuracy, time, and what calibration takes.

    python benchmarks/int8_forms.py MODEL PRESET IMAGES [--calibrate 100] [--rounds 12]

Every second image calibrates (again from the first on, until there are as many as asked for); the
others are judged. The table has, for each unit and scheme, the images whose best class is the one
of the fp32 network, the signal to quantisation noise ratio at the outputs, the median time of one
frame with its spread, all units measured in turn, and how many times as fast as the same engine in
fp32 that is.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from itertools import cycle, islice
from pathlib import Path

from counterpoint.api import Machine, devices
from counterpoint.cli.frame_source import chosen_recipe, image_frames
from counterpoint.engines.protocol import Tensor
from counterpoint.measure.sampling import Comparison, Contender, interleave
from counterpoint.network.graph import Network
from counterpoint.network.loading import load
from counterpoint.network.precision.quantise import quantise, refusals
from counterpoint.network.precision.ranges import Ranges
from counterpoint.network.precision.scheme import Scheme
from counterpoint.tuning.accuracy import Accuracy, Judge, LabelledFrames
from counterpoint.tuning.calibration import calibrate, warnings

Frame = Mapping[str, Tensor]
Infer = Callable[[Frame], list[Tensor]]

FLOAT32 = "onnxruntime:CPU@fp32"
UNITS = (FLOAT32, "openvino:CPU@fp32", "openvino:CPU@bf16")
INT8_UNITS = ("onnxruntime:CPU@int8", "openvino:CPU@int8")
SCHEMES = {
    "int8": Scheme(),
    "int8, min max": Scheme(clipping="min_max"),
    "int8, symmetric": Scheme(activations="symmetric"),
    "int8, per tensor": Scheme(weights="per_tensor"),
}


class Contenders:
    """Networks on units, by label."""

    def __init__(self, machine: Machine, network: Network, ranges: Ranges) -> None:
        self._machine = machine
        names = {unit.name for unit in machine.platform.units}
        self.runs = {unit: (network, unit) for unit in UNITS if unit in names}
        products = [layer.index for layer in network.layers if layer.macs]
        able = [index for index in products if index not in refusals(network)]
        print(f"int8: {len(able)} of {len(products)} layers with products")
        for title, scheme in SCHEMES.items():
            form = quantise(network, able, ranges, scheme)
            for unit in names.intersection(INT8_UNITS):
                self.runs[f"{unit.partition('@')[0]}@{title}"] = form, unit

    @contextmanager
    def ready(self, label: str) -> Iterator[Infer]:
        """Runs one of them."""
        form, name = self.runs[label]
        unit = self._machine.platform.unit(name)
        with closing(self._machine.engines[unit.engine].compile(form.whole(), unit)) as segment:
            names = [spec.name for spec in form.inputs]
            yield lambda frame: list(segment.run([frame[name] for name in names]))

    @contextmanager
    def timed(self, label: str, frame: Frame) -> Iterator[Callable[[], object]]:
        with self.ready(label) as infer:
            yield partial(infer, frame)


def calibrated(network: Network, frames: Sequence[Frame], count: int) -> Ranges:
    begin = time.perf_counter()
    ranges = calibrate(network, list(islice(cycle(frames), count)))
    took_s = time.perf_counter() - begin
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"calibration on {count} frames: {took_s:.1f} s, peak {peak_bytes / 1e9:.2f} GB")
    for told in warnings(network, ranges):
        print(told)
    return ranges


def judged(
    contenders: Contenders, network: Network, frames: Sequence[Frame]
) -> dict[str, Accuracy]:
    with contenders.ready(FLOAT32) as infer:
        judge = Judge(network, LabelledFrames(tuple(frames)), [infer(frame) for frame in frames])
    found = {}
    for label in contenders.runs:
        with contenders.ready(label) as infer:
            found[label] = judge.accuracy([infer(frame) for frame in frames])
    return found


def show(accuracies: Mapping[str, Accuracy], comparison: Comparison) -> None:
    for label, accuracy in accuracies.items():
        samples = comparison.samples[label]
        ratio, low, high = comparison.ratio(f"{label.partition('@')[0]}@fp32", label)
        lost = accuracy.drop.lost if accuracy.drop else 0
        images = accuracy.drop.images if accuracy.drop else 0
        noise = "exact" if accuracy.sqnr_db is None else f"{accuracy.sqnr_db:.1f} dB"
        print(
            f"{label:34} {images - lost} of {images} agree, {noise:>8}  "
            f"{samples.median_ns / 1e6:.3f} ms ({samples.low_ns / 1e6:.3f} to "
            f"{samples.high_ns / 1e6:.3f}), {ratio:.2f} x ({low:.2f} to {high:.2f}) as fast"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("model", type=Path)
    parser.add_argument("preset")
    parser.add_argument("images", type=Path)
    parser.add_argument("--calibrate", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=12)
    options = parser.parse_args()
    network = load(options.model)
    recipe = chosen_recipe(options.preset, options.model)
    named = image_frames(network, [options.images], recipe, options.model)
    frames = [frame.inputs for frame in named]
    ranges = calibrated(network, frames[::2], options.calibrate)
    contenders = Contenders(devices(), network, ranges)
    accuracies = judged(contenders, network, frames[1::2])
    timed: dict[str, Contender] = {
        label: partial(contenders.timed, label, frames[1]) for label in contenders.runs
    }
    show(accuracies, interleave(timed, rounds=options.rounds, renew_every=4))


if __name__ == "__main__":
    main()
