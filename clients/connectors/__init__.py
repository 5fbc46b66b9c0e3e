"""Connectors: the code for each kind of system, found through `catalog.py`."""
