"""Where the time of one run goes, and what keeps each layer from being faster."""
