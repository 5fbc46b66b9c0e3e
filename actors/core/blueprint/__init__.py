"""Blueprints: from the plain data of a document to compiled rules (`actors.core.policy`), all faults at once.

`compiler.py` is where it begins; `entries*.py` are the tables of what a blueprint may say. Nothing that decides about
records may import this: they know the compiled rules alone.
"""
