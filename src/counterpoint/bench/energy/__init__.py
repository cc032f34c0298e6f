"""Energy of an image: counters, sensors, meters, and what they say of a window."""
