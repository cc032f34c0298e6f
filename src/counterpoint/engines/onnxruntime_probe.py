"""Which providers of ONNX Runtime really run something here: run in a child process.

Arguments are names of providers. Prints, for each, ``null`` or why it does not.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence


def main(providers: Sequence[str]) -> dict[str, str | None]:
    """A session of one small convolution on each."""
    import numpy as np
    import onnxruntime
    from onnx import TensorProto, helper

    onnxruntime.set_default_logger_severity(4)
    shape = [1, 4, 8, 8]
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[1, 1])],
        "probe",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [helper.make_tensor("w", TensorProto.FLOAT, [4, 4, 1, 1], [0.5] * 16)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    found: dict[str, str | None] = {}
    for provider in providers:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        try:
            session = onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=[provider]
            )
            if provider not in session.get_providers():
                found[provider] = "the library does not start it"
                continue
            session.run(None, {"x": np.ones(shape, np.float32)})
            found[provider] = None
        except Exception as error:  # a library's own
            found[provider] = str(error).strip().splitlines()[0][:300]
    return found


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:])))  # noqa: T201 - this is how it answers
