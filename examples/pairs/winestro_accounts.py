"""The story of two Winestro accounts, as the manual tells it."""

from __future__ import annotations

import json
from typing import Any

from clients.emulators.stand import stand
from clients.emulators.winestro import System as Winestro
from examples.daemon import StandError
from examples.pairs.stage import Stage

KINDS = ("customers", "articles")
QUICK = {"a": {"poll": "1s"}, "b": {"poll": "1s"}}
TABLES = {
    "kunden": ("adr_nr", "adr_nachname", "adr_firma", "adr_ort", "adr_werbung_email"),
    "preiskategorien": ("pk_name",),
    "artikelgruppen": ("wg_name",),
    "artikel": ("artikel_nr", "artikel_name"),
}


class Both:
    """Both accounts, with the people in front of them."""

    def __init__(self, stage: Stage, north: Winestro, south: Winestro) -> None:
        self.stage = stage
        self.accounts = {"north": north, "south": south}
        self.north, self.south = north.person, south.person

    def settings(self, name: str) -> dict[str, Any]:
        """What leads to an account."""
        one = self.accounts[name]
        return {
            "url": f"{one.address}/xml/v23.0/wbo-API.php",
            "uid": one.uid,
            "user": one.user,
            "code": one.code,
        }

    def key(self, name: str) -> str:
        """A file with the credentials of an account, as its owner hands them to whoever may connect to it."""
        path = self.stage.daemon.root / f"{name}-credentials.json"
        path.write_text(json.dumps(self.settings(name)))
        return f"@{path}"

    def customer(self, name: str, number: str) -> dict[str, Any]:
        """A customer of an account by his number; {} where there is none."""
        found = self.accounts[name].person.find("kunden", adr_nr=number)
        return found[0] if found else {}

    def article(self, name: str, number: str) -> dict[str, Any]:
        """An article of an account by its number; {} where there is none."""
        found = self.accounts[name].person.find("artikel", artikel_nr=number)
        return found[0] if found else {}

    def differences(self) -> list[str]:
        """Every way in which both disagree, found without Tandem's help."""
        out = []
        for table, fields in TABLES.items():
            left, right = (
                sorted(str([row[field] for field in fields]) for row in one.person.rows(table).values())
                for one in self.accounts.values()
            )
            if left != right:
                out.append(f"{table}: {left}, {right}")
        return out


async def play(stage: Stage) -> None:
    """From the handshake to an article that comes back."""
    async with (
        stand("winestro", {"uid": "4711", "name": "Weingut Nord"}) as north,
        stand("winestro", {"uid": "4712", "name": "Vinothek Süd"}) as south,
    ):
        assert isinstance(north, Winestro) and isinstance(south, Winestro)
        both = Both(stage, north, south)
        await agree(stage, both)
        await load(stage, both)
        await customers(stage, both)
        await articles(stage, both)
        await stage.ends(both.differences, *KINDS)


async def agree(stage: Stage, both: Both) -> None:
    """Consent of both, by the manual."""
    stage.say(
        "1. Weingut Nord has customers and wines. Vinothek Süd, of the same group, asks to be kept in step."
    )
    both.north.insert("preiskategorien", {"pk_name": "Handel"}, {"pk_name": "Privat"})
    both.north.insert("artikelgruppen", {"wg_name": "Rotwein", "wg_nr": "1"})
    berg = {"adr_nr": "10001", "adr_nachname": "Berg", "adr_ort": "Ulm", "adr_id_preiskategorie": 2}
    both.north.insert(
        "kunden", {**berg, "adr_werbung_email": True}, {"adr_nr": "10002", "adr_firma": "Weinbar"}
    )
    merlot = {
        "artikel_nr": "6+2025",
        "artikel_name": "Merlot",
        "artikel_id_warengruppe": 1,
        "artikel_preis": "9.90",
    }
    both.north.insert("artikel", {**merlot, "artikel_lager": "Keller", "artikel_bestand": "500"})
    ctl = stage.daemon.ctl
    await stage.connect(("winestro", both.settings("north")), ("winestro", both.settings("south")))
    (old,) = both.south.insert("preiskategorien", {"pk_name": "Musterpreise"})
    accounts = [word for uid in ("4711", "4712") for word in ("--identities", f"winestro:{uid}")]
    await ctl("features", "ask", "data-sync", "winestro", *accounts)
    await ctl("features", "enable", "data-sync", "winestro", *accounts)
    await ctl("accesses", "create", "b", "--other", both.key("north"), "--mode", "both")
    ask = (
        "proposals",
        "create",
        "customers",
        "b",
        "winestro-accounts-customers",
        "--other",
        both.key("north"),
    )
    try:
        await ctl(*ask)
    except StandError as error:
        said = json.loads(str(error).split("\n", 1)[1])
        stage.say(f"   It is refused: {said['error']}.")
    else:
        raise StandError("an account that holds data was taken as a Secondary")
    both.south.delete("preiskategorien", old)
    stage.say(
        "2. Süd deletes its price groups and asks again, for customers and for articles; Nord confirms."
    )
    for kind in KINDS:
        blueprint = f"winestro-accounts-{kind}"
        asked = await ctl("proposals", "create", kind, "b", blueprint, "--other", both.key("north"))
        await ctl("proposals", "confirm", asked["id"], "--other", both.key("south"))
        rules = stage.daemon.root / "rules.json"  # JSON is YAML
        rules.write_text(json.dumps(QUICK))
        await ctl("settings", "change", kind, "--settings", f"@{rules}")


async def load(stage: Stage, both: Both) -> None:
    """The Primary's data come by themselves."""
    await stage.see(lambda: both.customer("south", "10002"), "Süd has both customers.")
    await stage.see(lambda: both.article("south", "6+2025"), "And the Merlot.")
    row = both.article("south", "6+2025")
    if any(row[name] is not None for name in ("artikel_lager", "artikel_bestand", "artikel_preis")):
        raise StandError("warehouse, stock or price went along")
    stage.say("   Without warehouse, stock and price: these are each account's own.")


async def customers(stage: Stage, both: Both) -> None:
    """Both edit a customer; consent is withdrawn; a new one comes from the Secondary."""
    stage.say(
        "3. Nord notes a phone number of Berg while Süd notes that he moved, and that he wants no more e-mails."
    )
    both.north.edit("kunden", both.customer("north", "10001")["adr_id"], adr_festnetz="0731 1234")
    here = both.customer("south", "10001")["adr_id"]
    both.south.edit("kunden", here, adr_ort="Köln", adr_werbung_email=False)
    await stage.see(
        lambda: (
            both.customer("north", "10001")["adr_ort"] == "Köln"
            and both.customer("south", "10001")["adr_festnetz"] == "0731 1234"
        ),
        "Both have both.",
    )
    await stage.see(
        lambda: both.customer("north", "10001")["adr_werbung_email"] is False,
        "Nobody may write to him any more.",
    )
    stage.say("4. Süd makes a price category and a customer who has it.")
    (club,) = both.south.insert("preiskategorien", {"pk_name": "Club"})
    sommer = {"adr_nr": "20001", "adr_nachname": "Sommer", "adr_id_preiskategorie": club}
    both.south.insert("kunden", sommer)

    def theirs() -> bool:
        names = {row["pk_id"]: row["pk_name"] for row in both.north.rows("preiskategorien").values()}
        return names.get(both.customer("north", "20001").get("adr_id_preiskategorie")) == "Club"

    await stage.see(theirs, "Nord has both, under a number of its own.")


async def articles(stage: Stage, both: Both) -> None:
    """What is whose of an article."""
    stage.say("5. Süd enters its own warehouse and price for the Merlot, and another name.")
    key = both.article("south", "6+2025")["artikel_id"]
    own = {"artikel_lager": "Laden", "artikel_preis": "12.50"}
    both.south.edit("artikel", key, {**own, "artikel_name": "Hauswein"})
    await stage.see(
        lambda: both.article("south", "6+2025")["artikel_name"] == "Merlot", "The name is put back."
    )
    await stage.daemon.ctl("streams", "backfill", "articles", "articles")
    await stage.daemon.ctl("runs", "start", "articles", "--watch", check=False)
    stage.say("6. Süd deletes the Merlot.")
    both.south.delete("artikel", key)
    await stage.see(
        lambda: both.article("south", "6+2025").get("artikel_lager") == "Laden",
        "It comes back, with Süd's own warehouse.",
    )
    north = both.article("north", "6+2025")
    if (north["artikel_lager"], str(north["artikel_preis"])) != ("Keller", "9.90"):
        raise StandError("a value of the Secondary's own reached the Primary")
    stage.say("   And Nord has its own, as ever.")
