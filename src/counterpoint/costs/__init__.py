"""What it costs: time, energy and numeric error of layers on units, and where that is kept."""
