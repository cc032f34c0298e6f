"""VTA, a GEMM core with scratchpads in an FPGA, and the Cortex-A9 beside it on a PYNQ-Z1.

Sources: ``apache/tvm-vta``, ``config/pynq_sample.json`` (sizes, clock); Moreau et al., "Leveraging
the VTA-TVM Hardware-Software Stack for FPGA Acceleration of 8-bit ResNet-18 Inference", ReQuEST
2018 (what runs where, and the seconds of the Cortex-A9).

    GEMM cycles  pixels * R * S * (C / 16) * (K / 16), and pixels * K / 16 to clear the sums
    ALU cycles   pixels * K / 16 * operators * interval; operators: bias, shift, and two of a clip
    DRAM cycles  bytes of the tiles / 8
    time         with latency hiding max(load, GEMM + ALU, store) and what has nothing to hide
                 behind: the first tile's load, the last one's store; without, the sum of all
"""

from __future__ import annotations

from dataclasses import dataclass

from counterpoint.costs.models.protocol import FLOAT32_BYTES, Bound, Cost, energy_pj
from counterpoint.costs.models.roofline import Roofline
from counterpoint.costs.models.vta_tiling import Scratchpads, Traffic, tiles, traffic
from counterpoint.network.graph import Layer, LoopNest

_FUSED = frozenset({"Relu", "Clip", "BatchNormalization", "QuantizeLinear", "DequantizeLinear"})
_SUMS = frozenset({"Add", "Sum", "QLinearAdd"})
_FREE = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Dropout", "Identity"})
_REFUSALS = {
    "Gemm": "VTA's compiler leaves fully connected layers to the CPU: a single row fills no tile",
    "Add": "residual additions ran on the CPU: VTA's compiler offloads convolutions only",
    "DepthwiseConv": "a depthwise convolution leaves 15 of the GEMM core's 16 inputs empty",
    "GroupConv": "VTA's compiler offloads convolutions of one group only",
}
_POOLS = ("MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool")


@dataclass(frozen=True, slots=True, kw_only=True)
class Vta:
    """One VTA. The defaults are those of the PYNQ-Z1.

    Attributes:
        clock_mhz: Of the core and of its DRAM port.
        block: Inputs and outputs of the GEMM core, lanes of the ALU: 1 x 16 x 16.
        alu_interval: Cycles between two vectors of the ALU.
        alu_operators: That follow a convolution, per output.
        input_buffer_bytes: For int8 inputs.
        weight_buffer_bytes: For int8 weights.
        accumulator_bytes: For int32 sums.
        output_buffer_bytes: For int8 outputs.
        uop_buffer_bytes: For micro-ops; the model does not count what loading them takes.
        port_bytes: Moved to or from DRAM in a cycle (64-bit AXI).
        latency_hiding: Loads, computation and stores overlap.
        residual_on: The CPU that adds a residual which the network fuses with a convolution, the
            unit occupying both; ``None``: such layers are refused.
        power_mw: Drawn above idle while it works; ``None`` where nobody knows.

    Raises:
        ValueError: A number outside its range.
    """

    clock_mhz: float = 100.0
    block: int = 16
    alu_interval: int = 2
    alu_operators: int = 4
    input_buffer_bytes: int = 32 * 1024
    weight_buffer_bytes: int = 256 * 1024
    accumulator_bytes: int = 128 * 1024
    output_buffer_bytes: int = 32 * 1024
    uop_buffer_bytes: int = 32 * 1024
    port_bytes: int = 8
    latency_hiding: bool = True
    residual_on: Roofline | None = None
    power_mw: int | None = None

    def __post_init__(self) -> None:
        room = self.scratchpads
        memories = (room.inputs, room.weights, room.sums, room.outputs, self.uop_buffer_bytes)
        at_least_0 = (self.alu_interval, self.alu_operators)
        if min(*memories, self.block, self.port_bytes) < 1 or min(at_least_0) < 0:
            raise ValueError("sizes must be at least 1, numbers of the ALU at least 0")
        if not 0 < self.clock_mhz < float("inf") or (self.power_mw or 0) < 0:
            raise ValueError("clock_mhz must be above 0 and finite, power_mw at least 0")

    @property
    def scratchpads(self) -> Scratchpads:
        """On-chip memories."""
        return Scratchpads(
            inputs=self.input_buffer_bytes,
            weights=self.weight_buffer_bytes,
            sums=self.accumulator_bytes,
            outputs=self.output_buffer_bytes,
        )

    def cost(self, layer: Layer) -> Cost | str:
        """See :meth:`LayerModel.cost`; with a residual, the CPU's part included."""
        reason = self._refusal(layer)
        if reason is not None or layer.loops is None:
            return reason or f"the shapes of layer {layer.name} are not known"
        cycles = self.cycles(layer.loops)
        if cycles is None:
            return f"no tile of layer {layer.name} fits VTA's scratchpads"
        host_ns = self.residual_ns(layer)
        if host_ns is None:
            return f"the shapes of layer {layer.name} are not known"
        own_ns = round(cycles * 1e3 / self.clock_mhz)
        compute = self.compute_cycles(layer.loops)
        bound = Bound.COMPUTE if 2 * compute >= cycles else Bound.MEMORY
        energy = energy_pj(own_ns, self.power_mw)
        if host_ns and energy is not None:
            host_pj = energy_pj(host_ns, self.residual_on.power_mw if self.residual_on else None)
            energy = None if host_pj is None else energy + host_pj
        return Cost(own_ns + host_ns, energy, bound)

    def at_best(self, layer: Layer) -> Cost | None:
        """See :class:`BestCase`: GEMM steps with channels filled up to blocks, or for layers
        without weights a step of the ALU for each input and ``alu_operators`` for each output,
        against the bytes in int8 over the port's rate.
        """
        if layer.input_items is None or layer.output_items is None:
            return None
        made = -(-layer.output_items // self.block)
        cycles = made * self.alu_operators * self.alu_interval
        if layer.loops is not None:
            nest = layer.loops
            taken = -(-(nest.in_channels // nest.groups) // self.block)
            pixels = nest.batch * nest.output_size[0] * nest.output_size[1]
            blocks = pixels * -(-nest.out_channels // self.block)
            cycles += blocks * (nest.kernel[0] * nest.kernel[1] * taken + 1)
        else:
            cycles += -(-layer.input_items // self.block) * self.alu_interval
        weights = layer.weight_bytes if layer.quantised else layer.weight_bytes // FLOAT32_BYTES
        load = -(-(layer.input_items + weights) // self.port_bytes)
        store = -(-layer.output_items // self.port_bytes)
        own_ns = round(max(cycles, load, store) * 1e3 / self.clock_mhz)
        bound = Bound.COMPUTE if cycles >= max(load, store) else Bound.MEMORY
        return Cost(own_ns, energy_pj(own_ns, self.power_mw), bound)

    def residual_ns(self, layer: Layer) -> int | None:
        """What the CPU does of a layer: it unpacks the convolution's result, adds the residual and
        packs the sum, all at the rate of its other operators. ``None``: shapes not known.
        """
        if self.residual_on is None or _SUMS.isdisjoint(layer.operators[1:]):
            return 0
        if layer.output_bytes is None:
            return None
        items = layer.output_bytes / (1 if layer.quantised else FLOAT32_BYTES)
        added = 3 * items * self.residual_on.item_bytes * 1e9
        return round(
            added / self.residual_on.bandwidth_bytes_per_s
            + 2 * items * packing_ns_per_item(self.residual_on)
        )

    def compute_cycles(self, nest: LoopNest) -> int:
        """Of GEMM core and ALU, which take turns."""
        vectors = nest.batch * nest.output_size[0] * nest.output_size[1]
        vectors *= nest.out_channels // self.block
        products = nest.kernel[0] * nest.kernel[1] * (nest.in_channels // self.block)
        return vectors * (products + 1 + self.alu_operators * self.alu_interval)

    def cycles(self, nest: LoopNest) -> int | None:
        """With the best tile; ``None`` where none fits. Channels are multiples of the block."""
        room = self.scratchpads.halved() if self.latency_hiding else self.scratchpads
        compute = self.compute_cycles(nest)
        found = (
            self.overlapped_cycles(traffic(nest, tile), compute, nest.batch)
            for tile in tiles(nest, self.block, room)
        )
        return min(found, default=None)

    def overlapped_cycles(self, moved: Traffic, compute: int, batch: int) -> int:
        """Of loads, computation and stores, side by side with latency hiding."""
        load = -(-moved.loaded * batch // self.port_bytes)
        store = -(-moved.stored * batch // self.port_bytes)
        if not self.latency_hiding:
            return load + compute + store
        ends = -(-(moved.first_load + moved.last_store) // self.port_bytes)
        return max(load, compute, store) + ends

    def _refusal(self, layer: Layer) -> str | None:
        if layer.kind in _REFUSALS:
            return _REFUSALS[layer.kind]
        if layer.kind in _POOLS:
            return "VTA has no pooling: its ALU works on vectors of channels, not across pixels"
        if layer.kind != "Conv":
            return f"VTA runs convolutions only, not {layer.kind}"
        for operator in layer.operators[1:]:
            if operator in _SUMS and self.residual_on is None:
                return _REFUSALS["Add"]
            if operator not in _SUMS | _FUSED | _FREE | {"Conv", "QLinearConv"}:
                return f"VTA's ALU has no {operator}: only minimum, maximum, add, multiply, shift"
        nest = layer.loops
        if nest is None:
            return None
        if nest.in_channels % self.block or nest.out_channels % self.block:
            return (
                f"{nest.in_channels} input and {nest.out_channels} output channels: VTA's GEMM "
                f"core takes multiples of {self.block}"
            )
        if nest.dilation != (1, 1):
            return "VTA's compiler offloads no dilated convolution"
        return _form_refusal(layer) if layer.quantised else None


def _form_refusal(layer: Layer) -> str | None:
    """Why VTA cannot run a convolution of a quantised network in the form that it has there."""
    if not layer.computes_int8:
        return "the layer is not quantised; the network gives no int8 form of it"
    if not _SUMS.isdisjoint(layer.operators):
        return "a residual is added before the sum is int8, which is all that VTA stores"
    if not {"QuantizeLinear", "QLinearConv"} & set(layer.operators):
        return "its result is not int8, which is all that VTA stores"
    return None


def packing_ns_per_item(cpu: Roofline) -> float:
    """Time to bring one int8 item from the CPU's layout (NCHW) into VTA's (16 channels side by
    side), or back: one byte read, one written, at the rate of the CPU's other operators. Assumed:
    nobody published it.
    """
    return 2e9 / cpu.bandwidth_bytes_per_s


CORTEX_A9 = Roofline(
    peak_macs_per_s=667e6 * 2 * 2,
    bandwidth_bytes_per_s=15_206_208 / 0.232,
    efficiency={
        "Conv": 1_695_547_392 / 2.867 / (667e6 * 2 * 2),
        "Conv7x7": 118_013_952 / 0.151 / (667e6 * 2 * 2),
    },
)
"""The two Cortex-A9 of the PYNQ-Z1 at 667 MHz, two fp32 multiply-adds a cycle and core (64-bit
NEON). The seconds are those of the CPU alone in the ReQuEST paper: ResNet-18's convolutions 2.867
(1.696 G multiply-adds), its first one 0.151, the rest 0.232 (pooling, fully connected layer and
residuals read and write 15.2 MB in fp32, so 66 MB/s: a rate of those operators, not the memory's).
"""
