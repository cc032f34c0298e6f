"""Who runs what: planners, their problem, their answer, and the evaluator that checks them."""
