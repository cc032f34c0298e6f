"""What Vulkan devices ncnn finds, printed as JSON: run in a child by :mod:`.vulkan`."""

from __future__ import annotations

import json

SOFTWARE = 3
"""ncnn's ``GpuInfo::type`` of a device that computes on the CPU (0 discrete, 1 integrated, 2
virtual; ``gpu.h``)."""


def main() -> None:
    """Prints one object."""
    import ncnn

    found = []
    for index in range(ncnn.get_gpu_count()):
        info = ncnn.get_gpu_info(index)
        found.append(
            {
                "name": info.device_name(),
                "software": info.type() == SOFTWARE,
                "identity": f"{info.vendor_id()}:{info.device_id()}:{info.driver_version()}:"
                f"{bytes(info.pipeline_cache_uuid()).hex()}",  # another one for each build
                "memory_mib": ncnn.get_gpu_device(index).get_heap_budget(),
            }
        )
    print(json.dumps({"devices": found}))  # noqa: T201 - this is how it answers


if __name__ == "__main__":
    main()
