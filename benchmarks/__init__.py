"""Benchmarks: each a script, and the sheet that they write on."""
