"""Measures how fast the daemon is, from outside, beside what does less: `make bench`. Figures: docs/BENCHMARKS.md."""
