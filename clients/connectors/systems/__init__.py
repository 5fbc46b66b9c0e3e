"""One file per kind of system; listed in `clients/connectors/catalog.py` and nowhere else."""
