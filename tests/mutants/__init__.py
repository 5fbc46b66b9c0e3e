"""Planted faults: each switches one mechanism off, and the tests that are named for it must notice.

`make mutants` runs them (runner.py). Each belongs to a row of docs/decisions/redteam.md.
"""
