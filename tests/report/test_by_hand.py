from __future__ import annotations

import json

from counterpoint.engines.protocol import Engine
from counterpoint.planning.by_hand import ByHand, plan_by_hand
from counterpoint.planning.restriction import Fixed
from counterpoint.platform.model import Platform
from counterpoint.report.by_hand import by_hand_document, by_hand_tables
from counterpoint.report.document import to_json
from counterpoint.schedule.plan import Plan
from counterpoint.tuning.planned import plan_of
from tests.fake_engine import FakeEngine
from tests.report.costed import A, B, chain, costs
from tests.report.rendering import rendered

NETWORK = chain()
PLATFORM = Platform("fake machine", "fake-fingerprint", (*A.devices, *B.devices), (A, B))
ENGINES: dict[str, Engine] = {"a": FakeEngine(name="a"), "b": FakeEngine(name="b")}


def compared(fixed: Fixed) -> tuple[Plan, Plan, ByHand]:
    table = costs(NETWORK)
    by_hand = plan_by_hand(NETWORK, table, fixed)
    made, best = (
        plan_of(NETWORK, PLATFORM, ENGINES, table, planned)
        for planned in (by_hand.planned, by_hand.best)
    )
    return made, best, by_hand


def test_both_plans_their_ratio_and_where_they_differ() -> None:
    made, best, by_hand = compared({1: B.name, 2: A.name})
    assert by_hand.planned.value is not None
    assert by_hand.best.value is not None
    content = json.loads(to_json(by_hand_document(made, best, by_hand, "p.json")))
    assert content["format"] == "counterpoint-plan-report"
    assert content["file"] == "p.json"
    assert content["mapping"] == {"1": [B.name], "2": [A.name]}
    assert content["predicted_latency_ns"] == by_hand.planned.value
    assert content["best"]["predicted_latency_ns"] == by_hand.best.value
    assert content["lower_bound"] == by_hand.best.value
    assert content["ratio_to_best"] == by_hand.planned.value / by_hand.best.value
    assert content["differences"] == [
        {
            "layers": [1],
            "unit": B.name,
            "best_unit": A.name,
            "layers_ns": 90_000,
            "best_layers_ns": 6000,
        },
        {
            "layers": [2],
            "unit": A.name,
            "best_unit": B.name,
            "layers_ns": 70_000,
            "best_layers_ns": 700,
        },
    ]
    text = rendered(by_hand_tables(NETWORK, made, by_hand))
    assert "2 of 4 layers run elsewhere" in text
    assert f": {by_hand.ratio:.2f}x as much" in text
    assert "without the mapping" in text
    assert "no plan under these costs is faster than" in text


def test_a_mapping_that_is_the_best_plan_says_so() -> None:
    made, best, by_hand = compared({0: (A.name, B.name)})
    text = rendered(by_hand_tables(NETWORK, made, by_hand))
    assert "the mapping is what the planner would choose" in text
    assert "proven" in text
    assert by_hand_document(made, best, by_hand, None)["ratio_to_best"] == 1
