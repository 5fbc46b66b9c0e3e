"""What the descriptors can't say about a command: facts only, checked against the API by tests/cli/test_facts.py.

Must not: hold code or names of commands. A method that is not listed here gets its command all the same.
"""

from __future__ import annotations

from collections.abc import Mapping

# Request fields that are given by position, in this order, where the rule in `options.positional_fields` (a first field
# that names the thing itself) is not enough. Method -> fields.
POSITIONAL: Mapping[str, tuple[str, ...]] = {
    "tandem.v1.Blueprints.GetBlueprint": ("name",),
    "tandem.v1.Connections.CreateConnection": ("name", "connector"),
    "tandem.v1.Connections.DescribeObjects": ("connection", "object"),
    "tandem.v1.Connections.ProbeConnection": ("declaration",),
    "tandem.v1.Links.CreateLink": ("name", "a", "b", "blueprint"),
    "tandem.v1.Proposals.CreateProposal": ("name", "connection", "blueprint"),
    "tandem.v1.Features.AskFeature": ("feature", "connector"),
    "tandem.v1.Features.EnableFeature": ("feature", "connector"),
    "tandem.v1.Features.DisableFeature": ("feature", "connector"),
    "tandem.v1.Plans.ApprovePlan": ("plan", "revision"),
    "tandem.v1.Records.GetRecord": ("link", "stream", "side", "id"),
    "tandem.v1.Records.ExplainRecord": ("link", "stream", "side", "id"),
    "tandem.v1.Records.EraseRecord": ("link", "stream", "side", "id"),
    "tandem.v1.Records.RefreshRecord": ("link", "stream", "side", "id"),
    "tandem.v1.Settings.RevertSettings": ("link", "version"),
    "tandem.v1.Streams.ResetStream": ("link", "stream"),
    "tandem.v1.Streams.BackfillStream": ("link", "stream"),
    "tandem.v1.Streams.SetCursor": ("link", "stream", "side", "cursor"),
    "tandem.v1.System.CreateToken": ("name",),
}
# The positional fields that may be left out; they come last.
OPTIONAL: Mapping[str, tuple[str, ...]] = {
    "tandem.v1.Accesses.ListAccesses": ("connection",),
    "tandem.v1.Connections.DescribeObjects": ("object",),
    "tandem.v1.Connections.ProbeConnection": ("declaration",),
}

# Positional fields of which the command line wants the file that holds them.
FILES: Mapping[str, str] = {
    "tandem.v1.Blueprints.CheckBlueprint": "blueprint",
    "tandem.v1.Connections.ProbeConnection": "declaration",
}
# Lists within a row that are a table of their own below it, since a cell would not hold them.
BELOW = frozenset(
    (
        "tandem.v1.Action.decisions",
        "tandem.v1.Connector.settings",
        "tandem.v1.Object.fields",
        "tandem.v1.Stream.cursors",
    )
)
# Long texts of which a table only says how long they are: what stands around them is what people look for.
SHORTENED = frozenset(("tandem.v1.Link.blueprint", "tandem.v1.Proposal.blueprint"))
# What only the table of one thing shows, and a list of many leaves out: it would be most of the list, or is what was asked.
ONE_ONLY = frozenset(
    (
        *(f"tandem.v1.Link.{name}" for name in ("a", "b", "looks", "settings")),
        *(f"tandem.v1.{kind}.link" for kind in ("LinkSettings", "Parked", "Plan", "Run", "Stream")),
    )
)
# Answers that are a refusal where this list of theirs is not empty.
FAULTS: Mapping[str, str] = {
    "tandem.v1.Blueprints.CheckBlueprint": "faults",
    "tandem.v1.Connections.ProbeConnection": "faults",
}

# Field of a watched message that says how it ended, and the exit status of each value. Others: not ended yet.
OUTCOME = "outcome"
ENDED: Mapping[str, int] = {
    "succeeded": 0,
    "nothing_new": 0,
    "partial": 1,
    "failed": 1,
    "cancelled": 1,
    "awaiting_approval": 1,
}
# What to do about it. Methods are named; help and errors spell them as commands.
OUTCOME_HINTS: Mapping[str, str] = {
    "partial": "ListRunItems says what did not go through; ListParked (--room waiting, too) and ListConflicts, what waits",
    "failed": "GetRun says why, GetLink what the link needs",
    "cancelled": "nothing is lost: StartRun goes on from there",
    "awaiting_approval": "ListPlans shows the plan, ApprovePlan says yes to it",
}
# What a run is for that only makes a plan: waiting for a yes is its good end. Field, values, outcome.
GOOD_END_OF_PLANNING = ("mode", ("plan", "undo"), "awaiting_approval")

REFUSED, NOT_IN_TIME, INTERNAL, INTERRUPTED = 5, 6, 70, 130
EXIT_STATUS: Mapping[int, str] = {
    0: "done",
    1: "a watched run ended partial, failed, cancelled or awaiting approval (a dry run or an undo with its plan: 0)",
    2: "wrong usage",
    3: "not found",
    4: "not authenticated, or not permitted",
    REFUSED: "refused: invalid, or not possible in the present state",
    NOT_IN_TIME: "not reachable, too busy, or not in time",
    INTERNAL: "internal error",
    INTERRUPTED: "interrupted",
}

ADDRESS = "127.0.0.1:7443"
TIMEOUT_S = 30.0
