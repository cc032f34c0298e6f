"""When it runs: plans, the dispatcher, its two drivers, and traces."""
