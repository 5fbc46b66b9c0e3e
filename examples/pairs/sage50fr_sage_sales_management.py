"""The story of Sage 50 (France) and Sage Sales Management, as the manual tells it."""

from __future__ import annotations

from typing import Any

from clients.emulators.sage50fr import System as Sage
from clients.emulators.sage_sales_management import System as Sales
from clients.emulators.stand import stand
from examples.daemon import StandError
from examples.pairs.stage import Stage

PROSPECT, CLIENT = 1, 2
VASE = b"\xff\xd8\xffa picture of a vase"
RULES = {"a": {"poll": "1s"}, "b": {"poll": "1s"}, "delivery": "instant"}


class Both:
    """Both systems, with the people in front of them."""

    def __init__(self, sage: Sage, sales: Sales) -> None:
        self.sage, self.sales = sage, sales
        self.sage_rows = sage.rows

    def company(self, code: str) -> dict[str, Any]:
        """A company of Sales Management by its code."""
        found = self.sales.person.find("accounts", extId=code)
        return found[-1] if found else {}

    def contacts(self) -> set[str]:
        """Who is a contact in Sales Management, by last name."""
        return {row["lastName"] for row in self.sales.person.find("contacts", deleted=False)}

    def differences(self) -> list[str]:
        """Every way in which both disagree, found without Tandem's help."""
        left = {
            code: (kind, row["Société"], row["Ville"])
            for table, kind in (("clients", CLIENT), ("prospects", PROSPECT))
            for code, row in self.sage_rows(table).items()
        }
        companies = self.sales.person.find("accounts", deleted=False)
        right = {row["extId"]: (row["statusId"], row["name"], row["city"]) for row in companies}
        codes = [code for code in {*left, *right} if left.get(code) != right.get(code)]
        out = [f"{code}: {left.get(code)}, {right.get(code)}" for code in codes]
        if len(companies) != len(right):
            out.append("a code stands twice")
        out += [
            f"{row['extId']} can be edited"
            for row in companies
            if row["readOnly"] is not (row["statusId"] == CLIENT)
        ]
        names = {
            row["Nom"].split()[-1] for row in self.sage_rows("adresses").values() if row["Adresse de contact"]
        }
        if names != self.contacts():
            out.append(f"contacts: {names}, {self.contacts()}")
        for table, here in (("articles", "products"), ("factures", "sales")):
            shown = {row["extId"] for row in self.sales.person.find(here, deleted=False)}
            if shown != set(self.sage_rows(table)):
                out.append(f"{table}: {set(self.sage_rows(table))}, {shown}")
        return out


async def play(stage: Stage) -> None:
    """From an empty Sales Management to a year's work, in two minutes."""
    async with (
        stand("sage50fr", {"folder": str(stage.daemon.root / "dossier")}) as sage,
        stand("sage_sales_management") as sales,
    ):
        assert isinstance(sage, Sage) and isinstance(sales, Sales)
        both = Both(sage, sales)
        await load(stage, both)
        await sell(stage, both)
        await convert(stage, both)
        await delete(stage, both)
        await stage.ends(both.differences)


async def load(stage: Stage, both: Both) -> None:
    """What Sage 50 holds comes to Sales Management."""
    stage.say(
        "1. Sage 50 has two customers, a prospect, contacts, three articles and an invoice; the CRM has none."
    )
    both.sales.person.insert("users", {"name": "Claire", "lastName": "Petit"})
    enter = both.sage.person.insert
    enter("clients", *[company(code) for code in ("DUPONT", "DURAND")])
    enter("prospects", company("MARTIN"))
    enter("adresses", address("A1", "DUPONT", "Anne Leroy"), address("A2", "MARTIN", "Paul Blanc"))
    enter("adresses", {**address("A3", "DUPONT", "Quai Nord"), "Adresse de contact": False})
    enter(
        "articles",
        article("STYLO", "Stylo", 12),
        article("VASE", "Vase", 3),
        {"Code": "CONSEIL", "Désignation courte": "Conseil"},
    )
    both.sage.hang("articles", "VASE", VASE)
    enter("factures", {"N° pièce": "F1", "Type de pièce": "Facture", "Client": "DURAND", "Total TTC": "120"})
    crm = {"url": f"{both.sales.address}/api/v4", "public_key": "public", "private_key": "private"}
    await stage.connect(
        ("sage50fr", {"path": both.sage.address, "take_in_max_s": 30}),
        ("sage_sales_management", {**crm, "overlap_s": 1}),
    )
    await stage.create_link(RULES, administrator="1", branch="1")
    people = both.sales.person
    await stage.see(
        lambda: (
            len(people.find("accounts")) == 3
            and len(people.find("products")) == 3
            and len(people.find("sales")) == 1
        ),
        "They are there: customers read-only and owned by the administrator, the invoice with its number.",
    )
    await stage.see(
        lambda: both.contacts() == {"Leroy"},
        "Anne Leroy is a contact; Paul Blanc waits until his prospect is a customer.",
    )
    shown = {row["extId"]: row["Z_stock"] for row in people.find("products")}
    if shown != {"STYLO": "12", "VASE": "3", "CONSEIL": "-"}:
        raise StandError(f"the stock is shown as {shown}")
    stage.say("   Stock is shown, and a dash where there is none.")
    (vase,) = people.find("products", extId="VASE")
    await stage.see(
        lambda: list(both.sales.files.shown(int(vase["id"])).values()) == [VASE],
        "The vase has its picture.",
    )


async def sell(stage: Stage, both: Both) -> None:
    """What a seller does in Sales Management."""
    stage.say("2. Claire Petit enters a company with the status Client, and a contact of Dupont.")
    row = {
        "name": "Nouvelle Maison",
        "branchId": 1,
        "salesRepId1": 2,
        "statusId": CLIENT,
        "extId": "NOUV",
        "city": "Pau",
    }
    both.sales.person.insert("accounts", row)
    contact = {
        "accountId": both.company("DUPONT")["id"],
        "firstName": "Zoé",
        "lastName": "Roux",
        "salesRepId": 2,
    }
    both.sales.person.insert("contacts", contact)
    await stage.see(
        lambda: both.sage_rows("clients").get("NOUV", {}).get("Nom Représentant") == "Claire Petit",
        "Sage 50 has the new customer, with her name in SALES_REP.",
    )
    await stage.see(lambda: both.company("NOUV")["readOnly"], "In Sales Management it is read-only now.")
    await stage.see(
        lambda: any(
            row["Nom"] == "Zoé Roux" and row["Adresse de contact"]
            for row in both.sage_rows("adresses").values()
        ),
        "Zoé Roux is an address of Sage 50, marked as a contact address.",
    )
    stage.say("3. She takes the mark off Durand and renames him.")
    both.sales.person.edit("accounts", both.company("DURAND")["id"], {"readOnly": False, "name": "Autre nom"})
    await stage.see(
        lambda: both.company("DURAND")["name"] == "Maison Durand" and both.company("DURAND")["readOnly"],
        "Both are put back; Sage 50 never heard of it.",
    )


async def convert(stage: Stage, both: Both) -> None:
    """A prospect is edited on both sides, and becomes a customer."""
    stage.say(
        "4. The prospect Martin moves to Nice (entered in the CRM), and gets an e-mail address (entered in Sage 50)."
    )
    both.sales.person.edit("accounts", both.company("MARTIN")["id"], {"city": "Nice"})
    both.sage.person.edit("prospects", "MARTIN", {"E-mail": "martin@example.org"})
    await stage.see(
        lambda: (
            both.sage_rows("prospects")["MARTIN"]["Ville"] == "Nice"
            and both.company("MARTIN")["email"] == "martin@example.org"
        ),
        "Both sides know both.",
    )
    old = both.company("MARTIN")["id"]
    stage.say("5. Sage 50 makes him a customer.")
    both.sage.convert("MARTIN")
    await stage.see(
        lambda: (
            both.company("MARTIN")["statusId"] == CLIENT
            and both.company("MARTIN")["id"] == old
            and both.company("MARTIN")["readOnly"]
        ),
        "The same company is a customer in Sales Management, read-only.",
    )
    await stage.see(lambda: "Blanc" in both.contacts(), "And Paul Blanc, who waited, is a contact.")


async def delete(stage: Stage, both: Both) -> None:
    """Deletions on both sides."""
    stage.say(
        "6. Sage 50 deletes Dupont's contact, the article Vase, and then Dupont; the CRM deletes Durand."
    )
    both.sage.person.delete("adresses", "A1")
    both.sage.person.delete("articles", "VASE")
    await stage.see(lambda: "Leroy" not in both.contacts(), "The contact is marked as deleted.")
    key = both.company("DURAND")["id"]
    both.sales.person.edit("accounts", key, {"readOnly": False})
    both.sales.person.delete("accounts", key)
    await stage.see(
        lambda: both.company("DURAND")["id"] != key and not both.company("DURAND")["deleted"],
        "Durand comes back: nothing is deleted in Sage 50 from here.",
    )
    for code, row in both.sage_rows("adresses").items():
        if row["Code client"] == "DUPONT":
            both.sage.person.delete("adresses", code)
    both.sage.person.delete("clients", "DUPONT")
    await stage.see(lambda: both.company("DUPONT")["deleted"], "Dupont is marked as deleted.")


def company(code: str) -> dict[str, Any]:
    """A customer or prospect of Sage 50."""
    return {
        "Code": code,
        "Nom": code.title(),
        "Société": f"Maison {code.title()}",
        "Ville": "Bordeaux",
        "Pays": "France",
    }


def address(code: str, customer: str, name: str) -> dict[str, Any]:
    """An address of Sage 50 that is a contact."""
    return {"Code adresse": code, "Code client": customer, "Nom": name, "Adresse de contact": True}


def article(code: str, name: str, stock: int) -> dict[str, Any]:
    """An article with stock."""
    return {
        "Code": code,
        "Désignation courte": name,
        "Suivi stock": True,
        "Stock réel": stock,
        "Prix de vente HT": "9.90",
    }
