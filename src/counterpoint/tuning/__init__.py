"""From a network to a plan that was measured: profile, plan, correct, compare, verify."""
