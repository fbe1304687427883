"""Benchmarks: they report, and assert no times."""
