"""Registers one plugin provider with ONNX Runtime: run in a child process, which it may crash.

The argument is the name of its package. What it raises is no crash: the caller meets it again.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module


def main(package: str) -> dict[str, int]:
    """How many devices the library knows with it."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    try:
        plugin = import_module(package)
        onnxruntime.register_execution_provider_library(
            plugin.get_ep_name(), plugin.get_library_path()
        )
    except Exception:  # a stranger's package may fail in any way
        return {"devices": 0}
    return {"devices": len(onnxruntime.get_ep_devices())}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))  # noqa: T201 - this is how it answers
