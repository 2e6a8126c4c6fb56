"""Spaces: the sets of structures, each with its exact solver."""
