"""ONNX Runtime's plugin providers: execution providers that come as packages of their own.

Packages named ``onnxruntime_ep_*``, and Qualcomm's ``onnxruntime_qnn`` from version 2 on, offer
``get_ep_name()`` and ``get_library_path()`` (ONNX Runtime, "Plugin execution provider libraries").
Once registered, the library reports the devices they found.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any

from counterpoint.engines.failures import told
from counterpoint.engines.probing import ask
from counterpoint.platform.model import Device, DeviceKind

PACKAGE_PREFIX = "onnxruntime_ep_"
PACKAGES = frozenset({"onnxruntime_qnn"})
"""Packages that are named otherwise."""

LIMIT_S = 60.0
"""For a plugin to find its devices, in a child process."""


@cache
def plugin_failures(library: Any) -> Mapping[str, str]:
    """Registers every installed plugin once; the reason for each one that could not be.

    A child process does so first, as a plugin loads drivers, which may crash.
    """
    failures = {}
    for module in pkgutil.iter_modules():
        if not module.name.startswith(PACKAGE_PREFIX) and module.name not in PACKAGES:
            continue
        tried = ask("counterpoint.engines.onnxruntime_plugin_probe", module.name, limit_s=LIMIT_S)
        if tried.failure is not None:
            failures[module.name] = f"it {tried.failure} when it was tried"
            continue
        try:
            plugin = import_module(module.name)
            library.register_execution_provider_library(
                plugin.get_ep_name(), plugin.get_library_path()
            )
        except Exception as error:  # a stranger's package may fail in any way
            failures[module.name] = told(error)
    return failures


def plugin_devices(library: Any) -> dict[tuple[str, str], tuple[Device, Any]]:
    """What plugin providers found, by provider and device name: our device, and the library's."""
    plugin_failures(library)
    builtin = set(library.get_available_providers())
    found: dict[tuple[str, str], tuple[Device, Any]] = {}
    counts: dict[tuple[str, DeviceKind], int] = {}
    for reported in library.get_ep_devices():
        provider = reported.ep_name
        if provider in builtin:
            continue
        kind = DeviceKind[str(reported.device.type).rpartition(".")[2]]
        number = counts.get((provider, kind), 0)
        counts[provider, kind] = number + 1
        name = "CPU" if kind is DeviceKind.CPU else f"{kind}.{number}"
        device = Device(name, kind, description=f"{reported.device.vendor} by {provider}")
        found[provider, name] = device, reported
    return found
