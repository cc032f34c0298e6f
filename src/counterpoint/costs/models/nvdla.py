"""NVDLA as its published performance spreadsheet models it.

Source: ``nvdla/hw``, ``perf/NVDLA_OpenSource_Performance.xlsx``, the columns for a system without
a second memory ("SRAM=0M"). With C, H, W the input, K the output channels, R x S the kernel, sy and
sx the strides, all sizes padded to what the hardware computes on:

    channels   C' = ceil16(C * sy * sx)
    MAC        C' * ceil(H / sy) * ceil(W / sx) * ceil16(K) * R * S / (sy * sx) / MACs
               (H - R + 1 and W - S + 1 without padding; over 2.25 under Winograd, 3 x 3 only)
    input      X = C' * ceil(H / sy) * ceil(W / sx)
    weights    V = C' * ceil(R / sy) * ceil(S / sx) * K, times 16 / 9 under Winograd
    output     Z = rows * columns * ceil16(K), after the pooling that follows
    DRAM       X + V + Z, the smaller of X and V kept in the buffer and the larger read again for
               each part of it that does not fit; Z once more where a residual is added,
               also where the sum is a layer of its own, as in quantised networks
    cycles     max(MAC, DRAM traffic / bandwidth)

The sheet's assumptions hold here too: pooling, scaling, activation and element-wise operators run
with the convolution before them and cost nothing; no software overhead. What the hardware or its
compiler cannot run is refused, after ``nvdla/sw``, ``CompilerFeatures.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from counterpoint.costs.models.nvdla_fusion import Fused, fused_layers
from counterpoint.costs.models.nvdla_operators import Precision, nvdla_refusal
from counterpoint.costs.models.protocol import FLOAT32_BYTES, Bound, Cost, energy_pj
from counterpoint.network.graph import Layer, LoopNest, Network

_ATOM = 16
_KERNELS_AT_ONCE = 32
_WINOGRAD_SPEED = 2.25
_SUMS = frozenset({"Add", "Sum", "QLinearAdd"})
_ITEM_BYTES = {"int8": 1, "int16": 2, "fp16": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Nvdla:
    """One NVDLA. The defaults are the sheet's.

    Attributes:
        mac_count: Multipliers in the precision at hand.
        clock_mhz: Of the core.
        dram_bytes_per_s: Reads and writes together; the sheet's 10 GB/s are 10^7 KB of 1024 bytes.
        buffer_bytes: Of the convolution buffer, features and weights together.
        precision: ``int8``, or ``int16`` or ``fp16`` with two bytes an item.
        winograd: Stride-1 3 x 3 convolutions use it. The sheet counts on it in int8 too, which
            the published compiler does not implement.
        winograd_weights: By what it makes the weights larger; the sheet of GoogLeNet leaves it out
            from the second inception module on, which 1 comes closest to.
        kernel_multiple: Output channels are padded to this; 128 on the sheet of ResNet-50.
        fc_batch: Frames that share one reading of a fully connected layer's weights. The sheet
            takes 16 for AlexNet and 1 for the others.
        group_convolution: Groups run one after the other, also where the compiler has none (int8).
        power_mw: Drawn above idle while it works; ``None`` where nobody knows.

    Raises:
        ValueError: A number outside its range.
    """

    mac_count: int = 2048
    clock_mhz: float = 1000.0
    dram_bytes_per_s: float = 10.24e9
    buffer_bytes: int = 512 * 1024
    precision: Precision = "int8"
    winograd: bool = True
    winograd_weights: float = 16 / 9
    kernel_multiple: int = 16
    fc_batch: int = 1
    group_convolution: bool = False
    power_mw: int | None = None

    def __post_init__(self) -> None:
        counts = (self.mac_count, self.buffer_bytes, self.kernel_multiple, self.fc_batch)
        if min(counts) < 1 or (self.power_mw or 0) < 0:
            raise ValueError("counts and sizes must be at least 1, power_mw at least 0")
        rates = (self.clock_mhz, self.dram_bytes_per_s, self.winograd_weights)
        if not all(0 < rate < float("inf") for rate in rates):
            raise ValueError("clock, bandwidth and winograd_weights must be above 0 and finite")
        if self.precision not in _ITEM_BYTES:
            raise ValueError(f"precision must be one of {', '.join(_ITEM_BYTES)}")

    def cost(self, layer: Layer) -> Cost | str:
        """See :meth:`LayerModel.cost`: the layer by itself, no pooling behind it."""
        return self._cost(Fused(layer))

    def network_costs(self, network: Network) -> tuple[Cost | str, ...]:
        """See :meth:`NetworkModel.network_costs`: a convolution writes what the pooling behind it
        leaves, and 1 x 1 convolutions of one tensor read it together, as in the sheet.
        """
        return tuple(self._cost(fused) for fused in fused_layers(network, self._refusal))

    def at_best(self, layer: Layer) -> Cost | None:
        """See :class:`BestCase`: all multipliers busy, each tensor moved once."""
        if layer.input_items is None or layer.output_items is None:
            return None
        item = _ITEM_BYTES[self.precision]
        weights = layer.weight_bytes if layer.quantised else layer.weight_bytes // FLOAT32_BYTES
        moved = (layer.input_items + layer.output_items + weights) * item
        mac_ns = layer.macs / self.mac_count * 1e3 / self.clock_mhz
        dram_ns = moved * 1e9 / self.dram_bytes_per_s
        time_ns = round(max(mac_ns, dram_ns))
        bound = Bound.COMPUTE if mac_ns >= dram_ns else Bound.MEMORY
        return Cost(time_ns, energy_pj(time_ns, self.power_mw), bound)

    def mac_cycles(self, nest: LoopNest) -> float:
        """Cycles of the multipliers, all groups, one image."""
        height, width = (
            ceil((size if any(nest.pads) else size - kernel + 1) / stride)
            for size, kernel, stride in zip(nest.input_size, nest.kernel, nest.stride, strict=True)
        )
        shrink = nest.stride[0] * nest.stride[1]
        batch = self.fc_batch if _is_product(nest) else 1
        kernels = _padded(nest.out_channels // nest.groups * batch, self.kernel_multiple) / batch
        taps = nest.kernel[0] * nest.kernel[1] / shrink
        speed = _WINOGRAD_SPEED if self._uses_winograd(nest) else 1
        cycles = _channels(nest) * height * width * kernels * taps / self.mac_count / speed
        return cycles * nest.groups

    def dram_bytes(
        self, nest: LoopNest, output_pixels: int | None = None, *, residual: bool = False
    ) -> float:
        """Bytes to and from DRAM, all groups, one image.

        Args:
            nest: The convolution or product.
            output_pixels: Written for each output channel when pooling follows.
            residual: A tensor like the output is read and added.
        """
        item = _ITEM_BYTES[self.precision]
        rows, columns = (
            ceil(size / stride) for size, stride in zip(nest.input_size, nest.stride, strict=True)
        )
        taps = ceil(nest.kernel[0] / nest.stride[0]) * ceil(nest.kernel[1] / nest.stride[1])
        kernels = nest.out_channels // nest.groups
        pixels = nest.output_size[0] * nest.output_size[1]
        features = _channels(nest) * rows * columns * item
        kernel_bytes = _channels(nest) * taps * item
        growth = self.winograd_weights if self._uses_winograd(nest) else 1
        weights = kernel_bytes * kernels * growth
        written = (pixels if output_pixels is None else output_pixels) * _padded(kernels) * item
        if _is_product(nest):
            read = features + weights / self.fc_batch
        elif features < weights:
            part = min(kernel_bytes * _KERNELS_AT_ONCE, self.buffer_bytes // 2)
            read = features + weights * _times(features, self.buffer_bytes - part)
        else:
            part = _channels(nest) * min(nest.kernel[0], rows) * columns * item
            read = weights + features * _times(weights, self.buffer_bytes - part)
        return (read + written * (2 if residual else 1)) * nest.groups

    def _refusal(self, layer: Layer) -> str | None:
        return nvdla_refusal(layer, self.precision, self.group_convolution)

    def _cost(self, fused: Fused) -> Cost | str:
        layer, nest = fused.layer, fused.nest
        reason = self._refusal(layer)
        if reason is not None:
            return reason
        if nest is None:
            return self._beside(layer)
        mac_ns = self.mac_cycles(nest) * 1e3 / self.clock_mhz
        residual = not _SUMS.isdisjoint(layer.operators[1:])
        moved = self.dram_bytes(nest, fused.output_pixels, residual=residual)
        dram_ns = moved * 1e9 / self.dram_bytes_per_s
        time_ns = round(max(mac_ns, dram_ns) * nest.batch * fused.share)
        bound = Bound.COMPUTE if mac_ns >= dram_ns else Bound.MEMORY
        return Cost(time_ns, energy_pj(time_ns, self.power_mw), bound)

    def _beside(self, layer: Layer) -> Cost | str:
        """A layer without multiplications runs with the convolution before it, for free but for
        the residual that a sum reads: Z, as where the two are one layer.
        """
        time_ns, bound = 0, Bound.OVERHEAD
        if not _SUMS.isdisjoint(layer.operators):
            if layer.output_items is None:
                return f"the shapes of layer {layer.name} are not known"
            moved = layer.output_items * _ITEM_BYTES[self.precision]
            time_ns, bound = round(moved * 1e9 / self.dram_bytes_per_s), Bound.MEMORY
        return Cost(time_ns, energy_pj(time_ns, self.power_mw), bound)

    def _uses_winograd(self, nest: LoopNest) -> bool:
        plain = nest.stride == nest.dilation == (1, 1)
        return self.winograd and plain and nest.kernel == (3, 3)


def _channels(nest: LoopNest) -> int:
    """Input channels of one group, as the hardware counts them: a stride adds to them."""
    return _padded(nest.in_channels // nest.groups * nest.stride[0] * nest.stride[1])


def _is_product(nest: LoopNest) -> bool:
    """A fully connected layer: no pixels."""
    return nest.input_size == nest.output_size == (1, 1) == nest.kernel


def _padded(count: int, multiple: int = _ATOM) -> int:
    return -(-count // multiple) * multiple


def _times(kept_bytes: float, room_bytes: float) -> int:
    """How often the other operand is read when this one is kept, part by part."""
    return max(1, ceil(kept_bytes / max(1.0, room_bytes)))
