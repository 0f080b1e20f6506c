"""Composition root: builds every object by constructor arguments; starts and stops them in order."""
