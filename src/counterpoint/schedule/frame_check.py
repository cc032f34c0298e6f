"""The border where a caller's arrays become a network's frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from counterpoint.engines.protocol import Tensor
from counterpoint.errors import FrameError
from counterpoint.network.graph import Network, TensorSpec


class FrameCheck:
    """Checks inputs and picks outputs, by name, as ONNX Runtime does."""

    def __init__(self, network: Network) -> None:
        self._specs = network.inputs
        self._wanted = tuple((spec.name, _dtype(spec.dtype), spec.shape) for spec in self._specs)
        self._outputs = {spec.name: index for index, spec in enumerate(network.outputs)}

    def inputs(self, frame: Mapping[str, Tensor]) -> list[Tensor]:
        """The frame's arrays, in the network's order, C-contiguous; copied only if need be.

        Raises:
            FrameError: An input is missing, unknown, or of another dtype or shape.
        """
        if type(frame) is dict and len(frame) == len(self._wanted):
            arrays = []
            for name, dtype, shape in self._wanted:
                array = frame.get(name)
                if (
                    type(array) is not np.ndarray
                    or array.dtype != dtype
                    or array.shape != shape
                    or not array.flags.c_contiguous
                ):
                    return self._all_inputs(frame)
                arrays.append(array)
            return arrays
        return self._all_inputs(frame)

    def only_input(self, array: Tensor) -> list[Tensor]:
        """The frame of a network with a single input, given without its name.

        Raises:
            FrameError: The network has several inputs, or the array is of another dtype or shape.
        """
        if len(self._specs) != 1:
            raise FrameError(
                f"the network has {len(self._specs)} inputs: give arrays by name, for {self._names}"
            )
        return self.inputs({self._specs[0].name: array})

    def select(self, names: Sequence[str] | None, outputs: list[Tensor]) -> list[Tensor]:
        """The outputs of those names, which :meth:`check_names` accepts; all without names."""
        if not names:
            return outputs
        return [outputs[self._outputs[name]] for name in names]

    def check_names(self, names: Sequence[str] | None) -> None:
        """Raises FrameError when the network has no output of one of those names."""
        unknown = [name for name in names or () if name not in self._outputs]
        if unknown:
            raise FrameError(
                f"the network has no output {_listed(unknown)}; it has {_listed(self._outputs)}"
            )

    def _all_inputs(self, frame: Mapping[str, Tensor]) -> list[Tensor]:
        if not isinstance(frame, Mapping):
            raise FrameError(
                f"inputs are a {type(frame).__name__}, the network wants a mapping of names to "
                f"arrays, for {self._names}"
            )
        known = {spec.name for spec in self._specs}
        missing = [spec.name for spec in self._specs if spec.name not in frame]
        unknown = [name for name in frame if name not in known]
        if missing or unknown:
            faults = [f"missing input {_listed(missing)}"] if missing else []
            faults += [f"unknown input {_listed(unknown)}"] if unknown else []
            raise FrameError(f"{', '.join(faults)}; the network has {self._names}")
        return [
            _checked(frame[spec.name], spec, dtype)
            for spec, (_, dtype, _) in zip(self._specs, self._wanted, strict=True)
        ]

    @property
    def _names(self) -> str:
        return _listed(spec.name for spec in self._specs)


def _checked(array: Tensor, spec: TensorSpec, dtype: np.dtype[np.generic]) -> Tensor:
    wanted = f"network wants {_shape(spec.shape)} {spec.dtype}"
    if not isinstance(array, np.ndarray):
        raise FrameError(f"input {spec.name!r} is a {type(array).__name__}, {wanted}")
    if array.dtype != dtype or (spec.shape is not None and array.shape != spec.shape):
        raise FrameError(f"input {spec.name!r} is {_shape(array.shape)} {array.dtype}, {wanted}")
    return np.asarray(array, order="C")


def _dtype(name: str) -> np.dtype[np.generic]:
    if name == "bfloat16":
        import ml_dtypes  # numpy has no bfloat16 of its own

        bfloat16: np.dtype[np.generic] = np.dtype(ml_dtypes.bfloat16)
        return bfloat16
    return np.dtype(name)


def _shape(shape: tuple[int, ...] | None) -> str:
    if shape is None:
        return "any shape of"
    return "x".join(str(extent) for extent in shape) or "scalar"


def _listed(names: Iterable[object]) -> str:
    return ", ".join(repr(name) for name in names)
