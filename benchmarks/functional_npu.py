"""VTA, instruction by instruction: is every convolution right, and how long does it take there?

For ResNet-18 and MobileNetV1 (zoo, drawn weights, ranges of four seeded frames) each convolution
that VTA takes runs on the activations that reach it, in both orders of its modules, and is
compared bit by bit with an integer convolution that shares no code with it. Then ResNet-18 as
planned for a PYNQ-Z1, end to end, against float32 and against ONNX Runtime's own int8; and, where
the photographs are there, SqueezeNet v1.1 in the same way.

Published (Moreau et al., ReQuEST 2018): 0.494 s, of it 73 ms convolutions on VTA.

Run: python benchmarks/functional_npu.py
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from tests.engines.npu.integer_reference import reference
from tests.shared_data import FOLDER

from counterpoint.api import Session, emulated_machine
from counterpoint.costs.models.vta import Vta
from counterpoint.engines.npu.nodes import segment_nodes
from counterpoint.engines.npu.vta import VtaArithmetic
from counterpoint.engines.npu.vta_convolution import VtaConvolution, packed, unpacked
from counterpoint.engines.npu.vta_layers import vta_layers
from counterpoint.engines.npu.vta_machine import LOADS_FIRST, NOTHING, STORES_FIRST, VtaMachine
from counterpoint.engines.onnxruntime import OnnxRuntimeEngine
from counterpoint.engines.protocol import Tensor
from counterpoint.frames.images import find_images, read_image
from counterpoint.frames.presets import preset
from counterpoint.network.graph import Network
from counterpoint.network.loading import load
from counterpoint.planning.choose import Question
from counterpoint.platform.file_content import PlatformFile
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind
from counterpoint.platform.platform_file import load_platform
from counterpoint.tuning.frames import ordered, seeded_frame
from counterpoint.tuning.planned import plan_of
from counterpoint.tuning.platform_precision import PrecisePlan, Wish, plan_with_precision

HARDWARE = Vta()
CALIBRATED_WITH = 20
"""Photographs; the others are compared."""


def host(network: Network, frame: Sequence[Tensor], precision: str) -> list[Tensor]:
    """What ONNX Runtime makes of a frame."""
    unit = ComputeUnit("onnxruntime", (Device("CPU", DeviceKind.CPU),), precision)
    compiled = OnnxRuntimeEngine().compile(network.whole(), unit)
    made = list(compiled.run(list(frame)))
    compiled.close()
    return made


def activations(network: Network, frame: Sequence[Tensor]) -> Mapping[str, Tensor]:
    """Every tensor between layers, by the host."""
    held = dict(zip([spec.name for spec in network.inputs], frame, strict=True))
    unit = ComputeUnit("onnxruntime", (Device("CPU", DeviceKind.CPU),), "int8")
    for layer in network.layers:
        segment = network.subnetwork([layer.index])
        compiled = OnnxRuntimeEngine().compile(segment, unit)
        made = compiled.run([held[spec.name] for spec in segment.inputs])
        held |= {spec.name: one for spec, one in zip(segment.outputs, made, strict=True)}
    return held


def check(name: str, pynq: PlatformFile) -> None:
    """Every convolution of a network, bit by bit."""
    planned = plan_with_precision(load(f"zoo:{name}"), pynq, Wish(Question(method="switch")))
    network = planned.network
    held = activations(network, ordered(network, seeded_frame(network.inputs, 9)))
    takes = VtaArithmetic(HARDWARE)
    total, modelled, wrong, spent = NOTHING, 0, 0, 0.0
    layers = [layer for layer in network.layers if takes.unsupported_reason(layer) is None]
    for layer in layers:
        segment = network.subnetwork([layer.index])
        (one,) = vta_layers(segment, segment_nodes(segment))
        tensor = np.asarray(held[one.source], np.int8)
        expected = reference(tensor, one.arithmetic)
        ready = VtaConvolution(one.arithmetic, HARDWARE)
        for order in (LOADS_FIRST, STORES_FIRST):
            began = time.perf_counter()
            made, counts = ready.run(packed(tensor, HARDWARE.block), VtaMachine(HARDWARE, order))
            spent += time.perf_counter() - began
            wrong += int((unpacked(made) != expected).sum())
        total += counts
        modelled += HARDWARE.cycles(one.arithmetic.nest) or 0
    print(f"\n{name}: {len(layers)} convolutions on VTA, {wrong} items differ from the reference")
    print(f"  instruction by instruction {total.cycles / 1e5:.1f} ms, by the model", end=" ")
    print(f"{modelled / 1e5:.1f} ms; {spent / 2:.1f} s on this host")
    print(
        f"  {sum(total.instructions.values())} instructions, {total.gemm_steps} GEMM and", end=" "
    )
    print(f"{total.alu_steps} ALU steps; loaded {sum(total.loaded_bytes.values()) / 1e6:.1f} MB,")
    print(f"  stored {total.stored_bytes / 1e6:.1f} MB")


def run(
    planned: PrecisePlan,
    pynq: PlatformFile,
    network: Network,
    frames: Sequence[Mapping[str, Tensor]],
) -> list[npt.NDArray[np.float64]]:
    """Outputs of the emulated board."""
    plan = plan_of(planned.network, pynq.platform, {}, planned.found.table, planned.found.planned)
    plan = replace(plan, precision=planned.precision)
    with Session(network, plan, machine=emulated_machine(pynq, time_scale=1e-3)) as session:
        return [np.asarray(session.run(None, frame)[0], np.float64) for frame in frames]


def sqnr_db(made: npt.NDArray[np.float64], exact: npt.NDArray[np.float64]) -> float:
    """Signal over noise of an output."""
    return float(10 * np.log10((exact**2).sum() / ((made - exact) ** 2).sum()))


def end_to_end(pynq: PlatformFile) -> None:
    """ResNet-18 as planned."""
    network = load("zoo:resnet18")
    planned = plan_with_precision(network, pynq, Wish(Question()))
    frames = [seeded_frame(network.inputs, seed) for seed in range(100, 104)]
    made = run(planned, pynq, network, frames)
    own, theirs, both = [], [], []
    for frame, output in zip(frames, made, strict=True):
        exact = np.asarray(host(network, ordered(network, frame), "fp32")[0], np.float64)
        int8 = np.asarray(host(planned.network, ordered(network, frame), "int8")[0], np.float64)
        own.append(sqnr_db(output, exact))
        theirs.append(sqnr_db(int8, exact))
        both.append(sqnr_db(output, int8))
    print(
        f"\nresnet18 end to end, 4 seeded frames: {planned.found.planned.value or 0:,} ns predicted"
    )
    print(f"  VTA and CPU against float32 {np.mean(own):.1f} dB; ONNX Runtime's int8", end=" ")
    print(f"{np.mean(theirs):.1f} dB; against each other {np.mean(both):.1f} dB")


def photographs(pynq: PlatformFile) -> None:
    """SqueezeNet v1.1 on real photographs, calibrated with some and compared on the others."""
    model = FOLDER / "models/squeezenet_v1.1/squeezenet_v1.1.onnx"
    if not model.is_file():
        print("\nno photographs here")
        return
    network = load(str(model))
    (spec,) = network.inputs
    recipe = preset("caffe")
    frames = [
        {spec.name: recipe.apply_batch([read_image(path)], spec)}
        for path in find_images([FOLDER / "images/imagenet_sample"])
    ]
    wish = Wish(Question(), frames=frames[:CALIBRATED_WITH])
    planned = plan_with_precision(network, pynq, wish)
    rest = frames[CALIBRATED_WITH:]
    began = time.perf_counter()
    made = run(planned, pynq, network, rest)
    spent = (time.perf_counter() - began) / len(rest)
    exact = [host(network, ordered(network, frame), "fp32")[0] for frame in rest]
    agree = sum(int(a.argmax() == b.argmax()) for a, b in zip(made, exact, strict=True))
    vta = sum(len(layers) for layers, unit in planned.found.planned.segments if "vta" in unit)
    print(f"\n{network.name}: {vta} of {len(planned.network.layers)} layers on VTA", end=", ")
    print(f"{(planned.found.planned.value or 0) / 1e6:.0f} ms predicted")
    print(
        f"  top-1 as in float32 on {agree} of {len(rest)} photographs; {spent:.1f} s a frame here"
    )


if __name__ == "__main__":
    board = load_platform("pynq_z1_vta")
    for each in ("resnet18", "mobilenet_v1"):
        check(each, board)
    end_to_end(board)
    photographs(board)
