"""The auditor on records that people switch on and off, where only a deactivation crosses (`reactivation: ignore`)."""

from __future__ import annotations

from collections.abc import Iterator

from tests.sim.auditor import met_anew, tell, was_decided
from tests.sim.auditor_latest import waits_for_its_own, written_down_once
from tests.sim.evidence import Evidence, Violation
from tests.sim.timeline import Timeline


def safety_latest(evidence: Evidence) -> list[Violation]:
    """What must hold at every moment under the rules of rules_latest.py, beside what auditor.py says."""
    found: list[Violation] = []
    for stream in evidence.laws.streams:
        timeline = Timeline(evidence, stream)
        found.extend(made_active(evidence, timeline))
        found.extend(waits_for_its_own(evidence, timeline))
    return [*found, *written_down_once(evidence)]


def made_active(evidence: Evidence, timeline: Timeline) -> Iterator[Violation]:
    """No daemon makes a record active that is not: only a person's word does, or the rule by which two records meet."""
    for law in (one for one in timeline.stream.fields if one.ignores):
        for entry in timeline.entries:
            native = law.native(entry.side)
            switched = entry.op == "update" and native in entry.changed()
            if entry.outside or not switched or (entry.before or {}).get(native) is not False:
                continue
            if not (was_decided(evidence, timeline, entry, law) or met_anew(evidence, timeline, entry, law)):
                yield Violation("active again", f"{entry.who} made it active: {tell(entry)}", entry.at)
