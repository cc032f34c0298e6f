"""Figures as Plotly takes them, each from plain values."""
