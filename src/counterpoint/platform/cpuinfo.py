"""What ``/proc/cpuinfo`` says: model, instruction sets, Arm parts, and whether this is a guest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from counterpoint.platform.arm_parts import arm_part_name, arm_part_name_of_midr
from counterpoint.platform.kernel_files import KernelFiles

# Two tables because words clash: "sme" is memory encryption on x86, a matrix unit on Arm.
_X86_SETS: Mapping[str, str] = {
    "avx2": "AVX2",
    "fma": "FMA",
    "avx_vnni": "AVX_VNNI",
    "avx512f": "AVX512F",
    "avx512_vnni": "AVX512_VNNI",
    "avx512_bf16": "AVX512_BF16",
    "avx512_fp16": "AVX512_FP16",
    "amx_tile": "AMX_TILE",
    "amx_int8": "AMX_INT8",
    "amx_bf16": "AMX_BF16",
    "amx_fp16": "AMX_FP16",
}
_ARM_SETS: Mapping[str, str] = {
    "neon": "NEON",  # 32-bit kernels
    "asimd": "NEON",
    "asimdhp": "FP16",
    "asimddp": "DOTPROD",
    "bf16": "BF16",
    "i8mm": "I8MM",
    "sve": "SVE",
    "sve2": "SVE2",
    "sme": "SME",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuInfo:
    """What the file tells about all processors together.

    Attributes:
        model: Marketing name (x86); ``None`` on Arm, where :attr:`parts` has the names.
        instruction_sets: Those that speed up networks and that every processor has.
        parts: Arm core name of each processor.
        is_x86: Its words are x86's.
        virtualised: It runs under a hypervisor; ``None`` where the file cannot tell (Arm).
    """

    model: str | None
    instruction_sets: tuple[str, ...]
    parts: Mapping[int, str]
    is_x86: bool
    virtualised: bool | None


def read_cpuinfo(files: KernelFiles) -> CpuInfo:
    """Reads ``/proc/cpuinfo``; parts that it lacks come from the ``midr_el1`` files."""
    model: str | None = None
    x86_flags: frozenset[str] | None = None
    arm_features: frozenset[str] | None = None
    numbers: dict[int, dict[str, int]] = {}
    processor = -1
    for line in (files.text("proc/cpuinfo") or "").splitlines():
        key, _, value = (part.strip() for part in line.partition(":"))
        if key == "processor" and re.fullmatch(r"[0-9]{1,6}", value):
            processor = int(value)
        elif key == "model name":
            model = model or value or None
        elif key == "flags":
            flags = frozenset(value.split())
            x86_flags = flags if x86_flags is None else x86_flags & flags
        elif key == "Features":
            features = frozenset(value.split())
            arm_features = features if arm_features is None else arm_features & features
        elif key in ("CPU implementer", "CPU part") and re.fullmatch(r"0x[0-9a-f]{1,4}", value):
            numbers.setdefault(processor, {})[key] = int(value, 16)
    sets = [name for flag, name in _X86_SETS.items() if flag in (x86_flags or ())]
    sets += [name for feature, name in _ARM_SETS.items() if feature in (arm_features or ())]
    parts = {
        processor: arm_part_name(found["CPU implementer"], found["CPU part"])
        for processor, found in numbers.items()
        if len(found) == 2
    }
    return CpuInfo(
        model=model if arm_features is None else None,
        instruction_sets=tuple(dict.fromkeys(sets)),
        parts=_parts_by_midr(files) | parts,
        is_x86=x86_flags is not None,
        virtualised=None if x86_flags is None else "hypervisor" in x86_flags,
    )


def _parts_by_midr(files: KernelFiles) -> dict[int, str]:
    folder = "sys/devices/system/cpu"
    parts = {}
    for processor in files.numbered(folder, "cpu"):
        text = files.text(f"{folder}/cpu{processor}/regs/identification/midr_el1") or ""
        if re.fullmatch(r"0x[0-9a-f]{1,16}", text):
            parts[processor] = arm_part_name_of_midr(int(text, 16))
    return parts
