"""Sentences that are computed from a result, each with its figures and the rows behind it."""
