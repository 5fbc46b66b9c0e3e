"""Free TCP ports for servers of other programs, which can't be told to take one themselves and say which."""

from __future__ import annotations

import random
import socket
from pathlib import Path

LOWEST = 10_000
# What the kernel gives away by itself, to any socket that asks for port 0 or calls out.
KERNELS = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now, nor is likely to before the caller does: not one of the kernel's."""
    below = int(KERNELS.read_text().split()[0]) if KERNELS.exists() else 32_768
    candidates = random.SystemRandom().sample(range(LOWEST, max(below, LOWEST + 1000)), 50)
    for port in candidates:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"none of the ports {candidates} is free")
