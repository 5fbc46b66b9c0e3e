"""A link's life: independent facts, the state computed from them, and how a run's outcome follows from its records."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core import lifecycle
from actors.core.errors import Kind
from actors.core.lifecycle import Establishment, Facts, NoStep, Reason, Shown, Step, Wish
from actors.core.types import Outcome

BROKEN = {"run": Reason(Kind.CONFIG.value, "the setting `tenant` is missing")}
REFUSED = {"run": Reason(Kind.AUTH.value, "the password was refused")}
SLOW = {"run": Reason(Kind.TRANSIENT.value, "the server does not answer")}

# wish, reasons, recovering, loaded, a run is under way -> the state that is shown
SHOWN = [
    (Wish.PAUSED, BROKEN, True, False, True, Shown.RECOVERING),
    (Wish.PAUSED, BROKEN, False, False, True, Shown.PAUSED),
    (Wish.PAUSED, {}, False, True, False, Shown.PAUSED),
    (Wish.RUN, BROKEN, False, True, True, Shown.MISCONFIGURED),
    (Wish.RUN, REFUSED, False, False, False, Shown.MISCONFIGURED),
    (Wish.RUN, SLOW | {"x": BROKEN["run"]}, False, True, False, Shown.MISCONFIGURED),
    (Wish.PAUSED, SLOW, True, True, True, Shown.RECOVERING),
    (Wish.RUN, SLOW, False, False, True, Shown.DEGRADED),
    (Wish.RUN, {}, False, False, True, Shown.LOADING),
    (Wish.RUN, {}, False, True, True, Shown.RUNNING),
    (Wish.RUN, {}, False, True, False, Shown.IN_STEP),
]


@pytest.mark.parametrize("wish, reasons, recovering, loaded, running, state", SHOWN)
def test_the_shown_state_is_computed_from_the_facts(
    wish: Wish,
    reasons: dict[str, Reason],
    recovering: bool,
    loaded: bool,
    running: bool,
    state: Shown,
) -> None:
    facts = Facts(wish, loaded=("customers",) if loaded else (), recovering=recovering, reasons=reasons)
    assert lifecycle.shown(facts, ("customers",), running) is state


def test_every_state_is_shown_for_some_facts() -> None:
    assert {row[-1] for row in SHOWN} | {Shown.OFF, Shown.BEING_SET_UP} == set(Shown)


@pytest.mark.parametrize("how", list(Establishment))
def test_nothing_works_and_nothing_else_is_shown_until_a_link_is_established(how: Establishment) -> None:
    for wish, reasons, recovering in itertools.product(Wish, (BROKEN, {}), (True, False)):
        facts = Facts(wish, how, (), recovering, reasons)
        state = lifecycle.shown(facts, ("customers",), True)
        if how is Establishment.ESTABLISHED:
            assert state not in (Shown.OFF, Shown.BEING_SET_UP)
            assert lifecycle.works(facts) is (wish is Wish.RUN)
        else:
            assert state is (Shown.OFF if how is Establishment.OFF else Shown.BEING_SET_UP)
            assert not lifecycle.works(facts)
        assert lifecycle.plans(facts) is (how in (Establishment.ESTABLISHED, Establishment.CONFIRMED))


@pytest.mark.parametrize(
    "now, step", list(itertools.product(Establishment, Step)), ids=lambda word: str(word.value)
)
def test_a_step_leads_where_the_table_says_or_is_refused_with_the_reason(
    now: Establishment, step: Step
) -> None:
    if (now, step) in lifecycle.TRANSITIONS:
        after = lifecycle.stepped(now, step)
        assert after is lifecycle.TRANSITIONS[now, step]
        if step is not Step.ACTIVATE or after is now:
            assert lifecycle.TRANSITIONS.get((after, step), after) is after  # said twice is said once
    else:
        with pytest.raises(NoStep, match=f"it is {now.value}: there is nothing to {step.value}"):
            lifecycle.stepped(now, step)


def test_only_one_step_is_kept_from_a_link_that_cannot_be_undone() -> None:
    for (now, step), after in lifecycle.TRANSITIONS.items():
        if (now, step) == (Establishment.ESTABLISHED, Step.DEACTIVATE):
            with pytest.raises(NoStep, match="can't be undone"):
                lifecycle.stepped(now, step, irreversible=True)
        else:
            assert lifecycle.stepped(now, step, irreversible=True) is after


def test_what_ended_never_comes_back() -> None:
    for ended in (Establishment.DECLINED, Establishment.WITHDRAWN, Establishment.EXPIRED):
        assert {after for (now, _), after in lifecycle.TRANSITIONS.items() if now is ended} <= {ended}


events: st.SearchStrategy[Callable[[Facts], Facts]] = st.one_of(
    st.sampled_from(["run", "watch"]).map(
        lambda name: lambda facts: lifecycle.raised(facts, name, SLOW["run"])
    ),
    st.sampled_from(["run", "watch"]).map(lambda name: lambda facts: lifecycle.cleared(facts, name)),
    st.sampled_from(["customers", "articles"]).map(lambda name: lambda facts: lifecycle.loaded(facts, name)),
    st.sampled_from(list(Outcome)).map(lambda ended: lambda facts: lifecycle.ended(facts, ended)),
)


@given(st.lists(events, max_size=8))
def test_a_pause_survives_every_other_event(happened: list[Callable[[Facts], Facts]]) -> None:
    facts = lifecycle.wish(Facts(), Wish.PAUSED)
    for event in happened:
        facts = lifecycle.load(lifecycle.dump(event(facts)))
    assert lifecycle.shown(facts, ("customers",), True) is Shown.PAUSED
    resumed = lifecycle.wish(facts, Wish.RUN)
    assert lifecycle.shown(resumed, ("customers",), True) is not Shown.PAUSED


def test_a_recovery_is_over_when_a_person_has_the_link_go_on() -> None:
    waiting = Facts(Wish.PAUSED, loaded=("customers",), recovering=True)
    assert lifecycle.shown(lifecycle.wish(waiting, Wish.PAUSED), ("customers",), False) is Shown.RECOVERING
    assert lifecycle.shown(lifecycle.wish(waiting, Wish.RUN), ("customers",), False) is Shown.IN_STEP


@given(st.lists(events, max_size=8))
def test_facts_come_back_from_the_store_as_they_were(happened: list[Callable[[Facts], Facts]]) -> None:
    facts = Facts()
    for event in happened:
        facts = event(facts)
    assert lifecycle.load(lifecycle.dump(facts)) == facts


def test_reasons_come_and_go_by_their_names() -> None:
    facts = lifecycle.raised(lifecycle.raised(Facts(), "run", SLOW["run"]), "watch", BROKEN["run"])
    facts = lifecycle.cleared(facts, "watch")
    assert facts.reasons == SLOW
    assert lifecycle.cleared(facts, "never raised") == facts


@given(st.integers(-1, 10_000), st.floats(0, 1, exclude_max=True))
def test_the_pause_between_failed_runs_is_bounded(failures: int, jitter: float) -> None:
    wait_s = lifecycle.backoff_s(failures, jitter)
    assert wait_s == 0 if failures <= 0 else 1.5 <= wait_s <= 375


def test_the_pause_grows_with_each_failure_and_is_gone_after_a_success() -> None:
    waits = [lifecycle.backoff_s(failures, 0.5) for failures in range(12)]
    assert waits == sorted(waits)
    facts = Facts()
    for number in range(3):
        assert facts.failures == number
        facts = lifecycle.ended(facts, Outcome.FAILED)
    assert lifecycle.ended(facts, Outcome.PARTIAL).failures == 0


# confirmed?, failed?, waiting?, held?, cut short?, cancelled? -> outcome; the first row that fits
OUTCOMES: list[tuple[str, str, str, str, str, str, Outcome]] = [
    ("any", "any", "any", "any", "any", "yes", Outcome.CANCELLED),
    ("yes", "any", "any", "any", "yes", "no", Outcome.PARTIAL),
    ("no", "any", "any", "any", "yes", "no", Outcome.FAILED),
    ("any", "any", "any", "yes", "no", "no", Outcome.AWAITING_APPROVAL),
    ("yes", "yes", "any", "no", "no", "no", Outcome.PARTIAL),
    ("yes", "any", "yes", "no", "no", "no", Outcome.PARTIAL),
    ("no", "yes", "any", "no", "no", "no", Outcome.FAILED),
    ("no", "no", "yes", "no", "no", "no", Outcome.PARTIAL),
    ("yes", "no", "no", "no", "no", "no", Outcome.SUCCEEDED),
    ("no", "no", "no", "no", "no", "no", Outcome.NOTHING_NEW),
]


@pytest.mark.parametrize("case", list(itertools.product([False, True], repeat=6)))
def test_the_outcome_follows_from_the_records(case: tuple[bool, ...]) -> None:
    words = ["yes" if fact else "no" for fact in case]
    right = next(
        row[-1] for row in OUTCOMES if all(w in ("any", is_) for w, is_ in zip(row, words, strict=False))
    )
    confirmed, failed, waiting, held, cut_short, cancelled = case
    ended = lifecycle.outcome(
        confirmed=int(confirmed),
        failed=int(failed),
        waiting=int(waiting),
        held=held,
        cut_short=cut_short,
        cancelled=cancelled,
    )
    assert ended is right
    if ended in (Outcome.SUCCEEDED, Outcome.NOTHING_NEW):
        assert not failed and not waiting and not cut_short
