"""Networks loaded in ncnn: which options a unit means, and what must not happen unseen."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from counterpoint.engines.cpu_threads import thread_count
from counterpoint.engines.pnnx import Converted
from counterpoint.platform.model import ComputeUnit, DeviceKind

OUT_OF_MEMORY = -100
"""What ncnn returns when an allocation fails (``net.cpp``, ``NetPrivate::do_forward_layer``)."""

_VULKAN = threading.Lock()


class LoadFailure(Exception):  # noqa: N818 - a reason, which the engine makes an EngineError of
    """ncnn cannot run it there; the message is a sentence's end."""


@cache
def library() -> Any:
    """The module, or ``None`` where it is not installed."""
    try:
        import ncnn
    except ImportError:
        return None
    return ncnn


def load(converted: Converted, unit: ComputeUnit) -> Any:
    """A network with its weights on the unit's device, where they stay.

    Args:
        converted: From pnnx.
        unit: On a CPU, or on a GPU that Vulkan found.

    Raises:
        LoadFailure: ncnn cannot load it, or would run a part of it elsewhere.
    """
    ncnn = library()
    net = ncnn.Net()
    on_gpu = unit.devices[0].kind is DeviceKind.GPU
    set_precision(net.opt, unit.precision)
    if on_gpu:
        start_vulkan()
        net.opt.use_vulkan_compute = True
        net.set_vulkan_device(int(unit.devices[0].name.partition(".")[2]))
    else:
        count = thread_count(unit) or len(unit.devices[0].cores)
        if count:
            net.opt.num_threads = count
    if net.load_param(str(converted.param_path)) or net.load_model(str(converted.weights_path)):
        raise LoadFailure("ncnn cannot load what pnnx made of it")
    if on_gpu:
        # ncnn itself would bring the tensors to the CPU and compute such a layer there.
        on_cpu = sorted({layer.type for layer in net.layers() if not layer.support_vulkan})
        if on_cpu:
            raise LoadFailure(f"ncnn has no Vulkan form of {', '.join(on_cpu)}")
    return net


def set_precision(options: Any, precision: str) -> None:
    """Sets what tensors are stored and computed in.

    Args:
        options: ``ncnn.Option``; by default ncnn takes fp16 where the device has it.
        precision: ``fp32``, ``fp16`` or ``bf16``.
    """
    half, brain = precision == "fp16", precision == "bf16"
    options.use_fp16_packed = options.use_fp16_storage = options.use_fp16_arithmetic = half
    options.use_bf16_packed = options.use_bf16_storage = brain


@cache
def start_vulkan() -> None:
    """Loads the drivers, once. ncnn describes each device on standard error; nobody asked."""
    with _VULKAN, _silent_stderr():
        library().create_gpu_instance()
        library().get_gpu_count()


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """For libraries that write to file descriptor 2 by themselves."""
    try:
        kept = os.dup(2)
    except OSError:  # there is none
        yield
        return
    with tempfile.TemporaryFile() as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
