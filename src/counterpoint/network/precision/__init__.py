"""Precision as a rewrite: layers of a network in int8, between conversions (QDQ form)."""
