"""Networks and plans by a seeded random generator, for runs too long for hypothesis."""

from __future__ import annotations

from random import Random

from counterpoint.network.graph import Network
from counterpoint.platform.model import Platform
from counterpoint.schedule.plan import Plan
from tests.fake_engine import fake_network
from tests.schedule.random_plans import plan_for


def random_network(random: Random) -> Network:
    inputs = ["x", "y"][: random.randint(1, 2)]
    reads: list[list[str]] = []
    for index in range(random.randint(1, 6)):
        there = [*inputs, *(f"t{earlier}" for earlier in range(index))]
        reads.append(random.sample(there, min(len(there), random.randint(1, 2))))
    read = {name for row in reads for name in row}
    made = [f"t{index}" for index in range(len(reads))]
    outputs = [name for name in made if name not in read or random.random() < 0.2]
    return fake_network(reads, inputs=inputs, outputs=outputs)


def random_plan(
    random: Random, network: Network, platform: Platform, lost: frozenset[str] = frozenset()
) -> Plan:
    units = [unit.name for unit in platform.units if unit.name not in lost]
    lanes = []
    for _ in range(random.randint(1, 3)):
        lane: list[tuple[list[int], str]] = []
        for layer in range(len(network.layers)):
            if not lane or random.random() < 0.6:
                lane.append(([], random.choice(units)))
            lane[-1][0].append(layer)
        lanes.append(lane)
    shares = [random.randint(1, 3) for _ in lanes]
    in_flight = random.randint(1, 5)
    return plan_for(network, platform, lanes, shares=shares, frames_in_flight=in_flight)
