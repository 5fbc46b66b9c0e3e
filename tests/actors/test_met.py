"""actors/met.py: no key that was met is forgotten, and few are taken for one."""

from __future__ import annotations

import random

from actors.met import Met


def test_every_key_that_was_met_is_told_and_few_others_are() -> None:
    luck = random.Random(1)  # noqa: S311
    keys = [luck.getrandbits(64) - (1 << 63) for _ in range(20_000)]
    met = Met()
    mistaken = met.again(keys[:10_000])
    assert len(mistaken) < 10
    assert met.again(keys[:10_000]) == keys[:10_000]
    assert len(met.again(keys[10_000:])) < 20
