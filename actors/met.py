"""Which match keys a load has met, in little memory. Data only."""

from __future__ import annotations

from collections.abc import Iterable

BYTES = 1 << 22  # 4 MB: of a million keys it knows 3 in 100 by mistake


class Met:
    """Says of every key that was met that it may have been, and of few others. (A Bloom filter with one bit a key.)"""

    def __init__(self) -> None:
        self._bits = bytearray(BYTES)

    def again(self, keys: Iterable[int]) -> list[int]:
        """Those that may have been met before; from now on all of them have been. A key: 64 bits, evenly spread."""
        bits, found = self._bits, list[int]()
        for key in keys:
            place, bit = key >> 3 & BYTES - 1, 1 << (key & 7)
            if bits[place] & bit:
                found.append(key)
            else:
                bits[place] |= bit
        return found
