"""W1 to W3, W24 to W26, W33: accounts that are connected, and who may switch into whom. On databases, and where nothing but
the accounts themselves matters on accounts of Winestro.Cloud, too."""

from __future__ import annotations

import base64
import itertools
from collections.abc import AsyncIterator

import pytest
from google.protobuf import json_format
from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct

from tandem.v1 import accesses_pb2, connections_pb2, features_pb2, links_pb2, system_pb2
from tandem_client import Tandem, TandemError
from tests.daemon.process import DaemonProcess
from tests.spec.accounts import Account, Accounts, accounts, customer_sync, row
from tests.spec.names import own_name
from tests.spec.wine import cellar

pytestmark = pytest.mark.anyio
STAFF, ADMIN = system_pb2.ROLE_OPERATOR, system_pb2.ROLE_ADMIN
# mode as the first account chose it -> who may switch: (first, second) for a staff and for an admin login
MODES = [
    (1, (True, True), (True, True)),
    (2, (True, False), (True, False)),
    (3, (False, True), (False, True)),
    (4, (False, False), (False, False)),
    (5, (True, True), (False, False)),
]


@pytest.fixture
async def databases(
    daemon: DaemonProcess, tandem: Tandem, postgres_url: str, request: pytest.FixtureRequest
) -> AsyncIterator[Accounts]:
    name = own_name(request, 30)
    async with accounts(daemon, tandem, postgres_url, name) as found:
        yield found


@pytest.fixture(params=["databases", "winestro"])
async def made(
    daemon: DaemonProcess, tandem: Tandem, postgres_url: str, request: pytest.FixtureRequest
) -> AsyncIterator[Accounts]:
    name = own_name(request, 30)
    kind = (
        cellar(daemon, tandem, name)
        if request.param == "winestro"
        else accounts(daemon, tandem, postgres_url, name)
    )
    async with kind as found:
        yield found


async def enter(by: Tandem, access: str, **fields: object) -> accesses_pb2.Grant:
    return await by.accesses.EnterAccess(accesses_pb2.EnterAccessRequest(access=access, **fields))  # type: ignore[arg-type]


async def choose(by: Account, access: str, mode: int) -> accesses_pb2.Access:
    request = accesses_pb2.UpdateAccessRequest(access=access, mode=mode)  # type: ignore[arg-type]
    return await by.tandem.accesses.UpdateAccess(request)


async def test_w01_an_account_is_connected_by_naming_the_others_credentials(made: Accounts) -> None:
    north, south = await made.account("north"), await made.account("south")
    with pytest.raises(TandemError) as refused:
        await north.know(south, credentials=south.credentials("wrong"))
    assert refused.value.reason == "AUTH" and "wrong" not in str(refused.value).split("hint")[0].split()
    assert await north.accesses() == {} == await south.accesses()
    await north.know(south)
    for here, there in ((north, south), (south, north)):
        (shown,) = (await here.accesses()).values()
        assert (shown.account.tenant, shown.other.tenant) == (here.tenant, there.tenant)
        assert (shown.other.name, shown.other.identity) == (there.tenant, there.connection.identity)
    with pytest.raises(TandemError) as refused:
        await south.know(north)
    assert refused.value.reason == "CONNECTED"
    with pytest.raises(TandemError) as refused:
        await north.know(north)
    assert refused.value.reason == "ONE_ACCOUNT"
    # An account that nobody has connected here: the credentials are right, and there is nobody to list it for.
    stranger = await made.account("stranger")
    await stranger.tandem.connections.DeleteConnection(
        connections_pb2.DeleteConnectionRequest(connection=stranger.tenant)
    )
    with pytest.raises(TandemError) as refused:
        await north.know(stranger)
    assert refused.value.reason == "NOT_HERE"


@pytest.mark.parametrize("turned", [False, True], ids=["chosen by the first", "chosen by the second"])
async def test_w02_five_modes_two_directions_two_logins(made: Accounts, turned: bool) -> None:
    first, second = await made.account("first"), await made.account("second")
    if turned:
        first, second = second, first
    staff = {one.tenant: await made.tandem(one.tenant, STAFF) for one in (first, second)}
    access = (await first.know(second, mode=1, both_edit=True)).id
    for mode, by_staff, by_admin in MODES:
        # Whoever may edit chooses; what it says is read from its side.
        shown = await choose(first, access, mode)
        assert (shown.mode, shown.chosen_here) == (mode, True)
        for account, other, may_staff, may_admin in (
            (first, second, by_staff[0], by_admin[0]),
            (second, first, by_staff[1], by_admin[1]),
        ):
            seen = (await account.accesses())[other.tenant]
            assert (seen.may_enter, seen.may_enter_as_admin) == (may_staff, may_admin)
            assert bool(seen.reason) is not (may_staff and may_admin)
            for client, login, may in (
                (staff[account.tenant], accesses_pb2.LOGIN_STAFF, may_staff),
                (staff[account.tenant], accesses_pb2.LOGIN_ADMIN, may_admin),
                (
                    account.tandem,
                    accesses_pb2.LOGIN_STAFF,
                    may_admin,
                ),  # an admin's token is an admin, whatever it says
            ):
                if may:
                    grant = await enter(client, access, login=login)
                    assert grant.login == accesses_pb2.LOGIN_STAFF
                    assert (grant.origin.tenant, grant.into.tenant) == (account.tenant, other.tenant)
                else:
                    with pytest.raises(TandemError) as refused:
                        await enter(client, access, login=login)
                    assert refused.value.code.name == "PERMISSION_DENIED"
                    assert f"mode {seen.mode}" in refused.value.message
        if mode == 3:  # now only the other may edit
            assert not shown.may_edit and (await second.accesses())[first.tenant].may_edit
            with pytest.raises(TandemError) as refused:
                await choose(first, access, 1)
            assert refused.value.code.name == "PERMISSION_DENIED"
            assert (await second.accesses())[first.tenant].mode == accesses_pb2.ACCESS_MODE_OUT
            request = accesses_pb2.UpdateAccessRequest(
                access=access, mode=accesses_pb2.ACCESS_MODE_BOTH, both_edit=True
            )
            await second.tandem.accesses.UpdateAccess(request)


async def test_w02_mode_5_may_be_one_way(made: Accounts) -> None:
    first, second = await made.account("first"), await made.account("second")
    staff = {one.tenant: await made.tandem(one.tenant, STAFF) for one in (first, second)}
    out, back = accesses_pb2.ACCESS_DIRECTIONS_OUT, accesses_pb2.ACCESS_DIRECTIONS_IN
    made_so = await first.know(second, mode=5, directions=out)
    turned = (await second.accesses())[first.tenant]
    assert (made_so.mode, made_so.directions, turned.mode, turned.directions) == (5, out, 5, back)
    assert (made_so.may_enter, turned.may_enter) == (True, False)
    grant = await enter(staff[first.tenant], made_so.id)
    assert grant.into.tenant == second.tenant
    with pytest.raises(TandemError) as refused:
        await enter(staff[second.tenant], made_so.id)
    assert turned.reason in refused.value.message and "only from the other account" in turned.reason
    request = accesses_pb2.UpdateAccessRequest(
        access=made_so.id, mode=accesses_pb2.ACCESS_MODE_BOTH, directions=out
    )
    with pytest.raises(TandemError) as refused:
        await first.tandem.accesses.UpdateAccess(request)
    assert refused.value.reason == "INVALID" and "mode 5" in str(refused.value)
    # Turned: the grant that was given opens nothing any more, and the other way is free.
    request = accesses_pb2.UpdateAccessRequest(
        access=made_so.id, mode=accesses_pb2.ACCESS_MODE_STAFF, directions=back
    )
    assert (await first.tandem.accesses.UpdateAccess(request)).directions == back
    with pytest.raises(TandemError) as refused:
        await second.tandem.accesses.CheckGrant(accesses_pb2.CheckGrantRequest(grant=grant.grant))
    assert refused.value.code.name == "PERMISSION_DENIED"
    assert (await enter(staff[second.tenant], made_so.id)).into.tenant == first.tenant


async def test_w03_every_connected_account_is_listed_with_the_reason_and_a_grant_is_signed_and_short(
    made: Accounts,
) -> None:
    here = await made.account("here")
    others = [await made.account(f"other{mode}") for mode in (1, 3, 4)]
    for other, mode in zip(others, (1, 3, 4), strict=True):
        await here.know(other, mode=mode)
    listed = await here.accesses()
    assert [listed[one.tenant].may_enter for one in others] == [True, False, False]
    assert [bool(listed[one.tenant].reason) for one in others] == [False, True, True]
    grant = await enter(here.tandem, listed[others[0].tenant].id)
    assert 0 < grant.expires.seconds - grant.issued.seconds <= 60
    door = others[0].tandem.accesses
    checked = await door.CheckGrant(accesses_pb2.CheckGrantRequest(grant=grant.grant))
    assert (checked.id, checked.origin, checked.into) == (grant.id, grant.origin, grant.into)
    key = (await door.GetGrantKey(accesses_pb2.GetGrantKeyRequest())).public_key
    assert len(base64.b64decode(key)) == 32
    # Not one letter of it can be changed, nobody else's door opens, and the mode is asked again.
    forged = grant.grant[:30] + ("A" if grant.grant[30] != "A" else "B") + grant.grant[31:]
    for client, text in ((door, forged), (door, grant.grant + "x"), (others[1].tandem.accesses, grant.grant)):
        with pytest.raises(TandemError) as refused:
            await client.CheckGrant(accesses_pb2.CheckGrantRequest(grant=text))
        assert refused.value.code.name == "PERMISSION_DENIED"
    await choose(here, listed[others[0].tenant].id, 4)
    with pytest.raises(TandemError) as refused:
        await door.CheckGrant(accesses_pb2.CheckGrantRequest(grant=grant.grant))
    assert "mode 4" in refused.value.message


async def test_w24_entering_with_data_synchronization_waits_and_says_what_is_left(
    databases: Accounts,
) -> None:
    primary = await databases.account("north", customers=[row(n) for n in range(1, 101)])
    secondary = await databases.account("south")
    access = (await secondary.know(primary)).id
    with pytest.raises(TandemError) as refused:
        await enter(secondary.tandem, access, with_sync=True)
    assert refused.value.reason == "NO_SYNC"
    link = await secondary.agree(primary, customer_sync())
    grant = await enter(secondary.tandem, access, with_sync=True, wait=Duration(seconds=40))
    assert list(grant.left) == [] and grant.into.tenant == primary.tenant
    assert len(await secondary.customers()) == 100  # the initial load was waited for
    await primary.sql("UPDATE customers SET city = 'Ulm'")
    assert list((await enter(secondary.tandem, access, with_sync=True, wait=Duration(seconds=40))).left) == []
    assert {one[2] for one in await secondary.customers()} == {"Ulm"}
    await primary.tandem.links.PauseLink(links_pb2.PauseLinkRequest(link=link.id))
    await primary.sql("INSERT INTO customers (number, name) VALUES ('N900', 'late')")
    left = list((await enter(secondary.tandem, access, with_sync=True, wait=Duration(seconds=1))).left)
    assert len(left) == 1 and "does not run" in left[0]  # bounded: it is given all the same


async def test_w25_every_list_grant_and_answer_names_the_account(databases: Accounts) -> None:
    here, there = await databases.account("here", customers=[row(1)]), await databases.account("there")
    for account, own_mark in ((here, "blue"), (there, "the old cellar")):
        await account.sql("INSERT INTO display (background) VALUES ($1)", own_mark)
        assert (await account.mark(own_mark)).own_mark == own_mark
    displays = [await account.state("display") for account in (here, there)]
    access = await here.know(there)
    grant = await enter(here.tandem, access.id)
    checked = await there.tandem.accesses.CheckGrant(accesses_pb2.CheckGrantRequest(grant=grant.grant))
    proposal = await there.propose(here, customer_sync())
    (asked,) = await here.proposals()
    link = await here.link((await here.confirm(proposal, there)).link)
    await here.settled(link.id)
    (listed,) = (await there.tandem.links.ListLinks(links_pb2.ListLinksRequest())).links
    named = features_pb2.AskFeatureRequest(
        feature="data-sync",
        connector="postgres",
        identities=[here.connection.identity, there.connection.identity],
    )
    features = list((await here.tandem.features.AskFeature(named)).features)
    provider = await databases.admin.features.ListFeatures(features_pb2.ListFeaturesRequest(only_asked=True))
    wanted = [one.identity for one in features]
    known = {one.identity: one.accounts for one in provider.features if one.identity in wanted}
    assert [len(one.accounts) for one in features] == [
        1,
        0,
    ]  # of somebody else's it says no more than was asked
    for pair in (
        (access.account, access.other),
        (grant.origin, grant.into),
        (checked.origin, checked.into),
        (proposal.addressee, proposal.proposer),
        (asked.addressee, asked.proposer),
        (link.a_account, link.b_account),
        (listed.a_account, listed.b_account),
        (features[0].accounts[0], known[features[1].identity][0]),
    ):
        for one, owner in zip(pair, (here, there), strict=True):
            assert (one.tenant, one.connection) == (owner.tenant, owner.connection.id)
            assert (one.name, one.identity) == (owner.tenant, owner.connection.identity)
            assert one.own_mark == owner.connection.own_mark != ""
    # How an account is told at a glance is its own: neither what it says here nor what it shows there goes over.
    assert await there.customers() == await here.customers() != []
    assert [await account.state("display") for account in (here, there)] == displays


async def test_w25_an_own_mark_is_its_tenants_and_is_changed_without_trying_the_account(
    databases: Accounts,
) -> None:
    here, there = await databases.account("here"), await databases.account("there")
    await here.know(there)
    await here.mark("blue")
    stranger = connections_pb2.UpdateConnectionRequest(connection=here.connection.id, own_mark="red")
    with pytest.raises(TandemError) as refused:
        await there.tandem.connections.UpdateConnection(stranger)
    assert refused.value.reason == "NOT_FOUND"
    for wrong in ("x" * 41, "two\nlines"):
        with pytest.raises(TandemError) as refused:
            await here.mark(wrong)
        assert refused.value.reason == "INVALID" and "own_mark" in str(refused.value)
    settings = json_format.ParseDict({"find": "full"}, Struct())
    request = connections_pb2.UpdateConnectionRequest(connection=here.tenant, settings=settings)
    assert (await here.tandem.connections.UpdateConnection(request)).own_mark == "blue"  # left out: as it is
    assert (await here.accesses())[there.tenant].account.own_mark == "blue"
    assert (await there.accesses())[here.tenant].other.own_mark == "blue"
    assert (await here.mark("")).own_mark == ""


async def test_w26_several_accounts_are_open_at_once(made: Accounts) -> None:
    here = await made.account("here")
    others = [await made.account("one"), await made.account("two")]
    grants = []
    for other in (*others, *others):
        access = (await here.accesses()).get(other.tenant) or await here.know(other)
        grants.append(await enter(here.tandem, access.id))
    assert len({grant.grant for grant in grants}) == 4
    for grant, other in zip(grants, (*others, *others), strict=True):
        request = accesses_pb2.CheckGrantRequest(grant=grant.grant)
        checked = await other.tandem.accesses.CheckGrant(request)
        assert (checked.id, checked.expires) == (grant.id, grant.expires)


async def test_w33_many_connections_each_with_its_mode_and_none_by_way_of_another(made: Accounts) -> None:
    a, b, c = [await made.account(name) for name in ("a", "b", "c")]
    await a.know(b, mode=2)
    await b.know(c, mode=5)
    listed = await b.accesses()
    assert [listed[one.tenant].mode for one in (a, c)] == [
        accesses_pb2.ACCESS_MODE_IN,
        accesses_pb2.ACCESS_MODE_STAFF,
    ]
    assert set(await a.accesses()) == {b.tenant} and set(await c.accesses()) == {b.tenant}
    between = listed[c.tenant].id
    for call in (
        enter(a.tandem, between),
        a.tandem.accesses.UpdateAccess(accesses_pb2.UpdateAccessRequest(access=between, mode=1)),  # type: ignore[arg-type]
        a.tandem.accesses.DeleteAccess(accesses_pb2.DeleteAccessRequest(access=between)),
    ):
        with pytest.raises(TandemError) as refused:
            await call
        assert refused.value.reason == "NOT_FOUND"
    with pytest.raises(TandemError) as refused:
        await a.propose(c, a.customer_rules)
    assert refused.value.reason == "NOT_CONNECTED"
    assert len(list(itertools.chain(await a.accesses(), await b.accesses(), await c.accesses()))) == 4
