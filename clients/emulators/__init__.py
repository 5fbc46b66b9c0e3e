"""Stand-in servers for the vendors' systems, with faults on demand, for demo, tests and benchmarks (docs/EMULATORS.md).

Must not: be imported by a connector, the engine or the daemon; an emulator is reached over the network like the real thing.
"""
