"""Timing: samples, comparisons in turn, peaks."""
