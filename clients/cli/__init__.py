"""tandemctl: a command line generated from the descriptors of the API.

Owns: turning services, methods and fields into commands and options, and answers into text. Must not: know a method or a
field by name, except for the few facts in `facts.py`; import the engine or the daemon.
"""
