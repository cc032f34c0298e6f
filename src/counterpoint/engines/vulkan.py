"""The GPUs that have a Vulkan driver here, found without loading a driver into this process."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from counterpoint.costs.store import default_store_path
from counterpoint.engines.probing import ask
from counterpoint.errors import MachineError

LIMIT_S = 20.0
"""For a probe; it takes 0.2 to 0.6 s here. A driver that needs longer is not used."""

GET_A_DRIVER = (
    "install the GPU's Vulkan driver (Debian and Ubuntu: apt install mesa-vulkan-drivers, which "
    "also brings a software device)"
)

_VARIABLES = ("VK_", "NCNN_", "MESA_", "LP_", "XDG_DATA", "HOME")
"""Beginnings of the environment variables that decide which drivers are found."""


@dataclass(frozen=True, slots=True)
class VulkanDevice:
    """A GPU as its driver reports it.

    Attributes:
        name: Marketing name.
        software: It computes on the CPU.
        identity: Maker, model, version and build of the driver, for hashes.
        memory_bytes: What a program may use now; ``None`` where the driver does not say.
    """

    name: str
    software: bool
    identity: str
    memory_bytes: int | None


@dataclass(frozen=True, slots=True)
class VulkanDevices:
    """What there is, in the order of ncnn's numbers; or why there is nothing."""

    devices: tuple[VulkanDevice, ...]
    missing: str | None = None


@cache
def vulkan_devices(ncnn_version: str) -> VulkanDevices:
    """Asks in a child process; what was found is remembered as long as the drivers are the same.

    Args:
        ncnn_version: Part of what decides which devices are offered.
    """
    memory = _memory(ncnn_version)
    remembered = _read(memory)
    if remembered is not None:
        return remembered
    answer = ask("counterpoint.engines.ncnn_probe", limit_s=LIMIT_S)
    if answer.failure is not None:
        return VulkanDevices(
            (), f"a Vulkan driver {answer.failure} when it was loaded: repair or remove it"
        )
    found = _devices(answer.facts)
    if found is None:
        return VulkanDevices((), "the Vulkan driver's answer makes no sense: repair or remove it")
    if not found.devices:
        return VulkanDevices((), f"no Vulkan device: {GET_A_DRIVER}")
    _write(memory, answer.facts)
    return found


def _devices(facts: Mapping[str, Any]) -> VulkanDevices | None:
    """What the child or our own file says; ``None`` if it is not of that form."""
    listed = facts.get("devices")
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        return None
    found = []
    for entry in listed:
        name, software = entry.get("name"), entry.get("software")
        identity, memory_mib = entry.get("identity"), entry.get("memory_mib")
        if not (isinstance(name, str) and isinstance(software, bool) and isinstance(identity, str)):
            return None
        known = isinstance(memory_mib, int) and memory_mib > 0
        found.append(VulkanDevice(name, software, identity, memory_mib << 20 if known else None))
    return VulkanDevices(tuple(found))


def _memory(ncnn_version: str) -> Path | None:
    """The file for what was found with these drivers; ``None`` where nobody can tell them apart."""
    if sys.platform != "linux":
        return None
    parts = [ncnn_version]
    parts += [
        f"{name}={value}"
        for name, value in sorted(os.environ.items())
        if name.startswith(_VARIABLES)
    ]
    for path in _driver_files():
        try:
            found = path.stat()
        except OSError:
            continue
        parts.append(f"{path} {found.st_size} {found.st_mtime_ns} {found.st_rdev}")
    digest = hashlib.blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()
    try:
        return default_store_path().parent / "vulkan" / f"{digest}.json"
    except MachineError:
        return None


def _driver_files() -> Iterator[Path]:
    """Manifests, loaders and device files (Vulkan-Loader, "Driver discovery on Linux")."""
    named = [os.environ.get(name, "") for name in ("VK_DRIVER_FILES", "VK_ICD_FILENAMES")]
    yield from (Path(path) for text in named for path in text.split(os.pathsep) if path)
    folders = ["/etc", "/usr/share", "/usr/local/share", "/usr/local/etc"]
    folders += os.environ.get("XDG_DATA_DIRS", "").split(os.pathsep)
    for folder in sorted(set(filter(None, folders))):
        yield from sorted((Path(folder) / "vulkan" / "icd.d").glob("*.json"))
    for pattern in ("lib/libvulkan*", "lib64/libvulkan*", "lib/*/libvulkan*"):
        yield from sorted(Path("/usr").glob(pattern))
    for pattern in ("dri/render*", "nvidia*", "mali*", "kgsl*"):
        yield from sorted(Path("/dev").glob(pattern))


def _read(path: Path | None) -> VulkanDevices | None:
    if path is None:
        return None
    try:
        facts = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return None
    found = _devices(facts) if isinstance(facts, dict) else None
    return found if found and found.devices else None


def _write(path: Path | None, facts: Mapping[str, Any]) -> None:
    """Whole or not at all; without it the next program asks again."""
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
            json.dump(dict(facts), file)
        Path(file.name).replace(path)
    except OSError:
        return
