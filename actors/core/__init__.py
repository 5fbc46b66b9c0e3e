"""The pure core: no await, no I/O, no clock, no randomness, no logging, no globals that change."""
