"""Analytic models: what a layer costs on hardware that is not at hand, one model a file."""
