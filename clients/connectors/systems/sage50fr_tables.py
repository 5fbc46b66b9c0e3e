"""The tables of Sage 50 as its export files show them: labels in the order of the file, each with its type.

Labels and order of the client export are those of the vendor's program; where a table is modelled rather than confirmed,
docs/connectors/sage50fr.md says so. Which columns an installation exports is chosen there, so nothing here is required.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

_KINDS: Final = {"bool": "boolean", "int": "integer", "dec": "decimal", "date": "date", "rtx": "text"}

# "label size" is a text of at most so many characters; rtx: a text of any length.
_CLIENTS: Final = """
Code 13; Nom 50; Société 50; Forme juridique 35; Adresse 1 35; Adresse 2 35; Adresse 3 35; Code Postal 10; Ville 35; Pays 35;
NPAI bool; Société Livraison 50; Forme juridique livraison 35; Adresse 1 Livraison 35; Adresse 2 Livraison 35;
Adresse 3 Livraison 35; Code Postal Livraison 10; Ville Livraison 35; Pays Livraison 35; NPAI Livraison bool;
Famille clients 35; Mode de paiement 13; Libellé mode de paiement 35; Téléphone 25; Portable 25; Fax 25; Télex 25; Risque 35;
Bloqué bool; Encours autorisé dec; Mode TVA 35; N° TVA intracom 19; Nom Banque 35; Adresse 1 Banque 35; Adresse 2 Banque 35;
Adresse 3 Banque 35; Code Postal Banque 10; Ville Banque 35; Pays Banque 35; Code Banque 5; Code Guichet 5;
Numéro Compte 15; Clé RIB 3; Compte Comptable 13; Analytique 13; Taux Remise dec; Observations rtx; Export Compta bool;
Banque sur rayon bool; Assujetti TPF bool; Relevé Compte bool; E-mail 127; URL 127; SIRET 17; Représentant 13;
Nom Représentant 35; Encours initial dec; Encours disponible dec; Nombre Exemplaire Facture int; Accepter Daily bool;
Date Dernière Commande date; Code Tarif 35; Téléphone Livraison 25; Portable Livraison 25; Fax Livraison 25;
Télex Livraison 25; Encours dec; Client divers bool; Ne pas relancer bool; Date de création date; IBAN 35; BIC 15;
Nom du contact 35; Société du contact 50; Titre du contact 35; Fonction du contact 35; Téléphone du contact 25;
Portable du contact 25; Fax du contact 25; Télex du contact 25; E-mail du contact 127; Site web du contact 127;
Facturer en TTC bool; NAF (APE) 4; Intitulé.CtAna 35; Exclure des mailings bool; Intitulé compte comptable 35;
Type de client 35
"""
_ADDRESSES: Final = """
Code adresse 20; Code client 13; Adresse de contact bool; Titre 35; Nom 35; Fonction 35; Société 50; Adresse 1 35;
Adresse 2 35; Adresse 3 35; Code Postal 10; Ville 35; Pays 35; Téléphone 25; Portable 25; Fax 25; E-mail 127; URL 127
"""
_ARTICLES: Final = """
Code 15; Famille 13; Désignation courte 35; Désignation longue rtx; Marque 30; Bloqué bool; Poids unitaire net dec;
Prix d'achat HT dec; Prix de vente HT dec; Prix de vente TTC dec; Code TVA 13; Taux TVA dec; Suivi stock bool;
Stock réel dec; Stock minimum dec; Photo 127; Observation rtx; Code barre 13; Publiable sur le Web bool;
Article Inutilisé bool; Date de création date
"""
_INVOICES: Final = """
N° pièce 13; Ordre int; Type de pièce 35; Date Pièce date; Client 13; Société 50; Référence de la pièce 80; Remarque 80;
Représentant 13; Nom Représentant 35; Total HT dec; Total TVA dec; Total TTC dec; Solde Dû dec; Date Echéance date;
Validée bool; Soldée bool; Comptabilisée bool; Transférée bool; Irrécouvrable bool; Observations rtx
"""
_REPRESENTATIVES: Final = """
Code 13; Nom 35; Titre 35; Fonction 35; Région 35; Téléphone 25; Portable 25; Adresse 1 35; Code Postal 10; Ville 35;
Pays 35; Commission dec; E-mail 127; Commentaire rtx
"""


class Known(NamedTuple):
    """A table of the program. `types`, `sizes`: by label. `takes`: whether import files may be written for it. `new_id`:
    the pattern of codes that we draw; a range of its own, since people give codes while an import is on its way.
    `attachments`: columns whose cells name files, and the folder beside the exports in which these stand."""

    file: str
    key: str
    types: Mapping[str, str]
    sizes: Mapping[str, int]
    takes: bool
    new_id: str
    attachments: Mapping[str, str] = {}


def _known(
    file: str, labels: str, takes: bool, new_id: str, attachments: Mapping[str, str] | None = None
) -> Known:
    types: dict[str, str] = {}
    sizes: dict[str, int] = {}
    for part in labels.replace("\n", " ").split(";"):
        label, _, kind = part.strip().rpartition(" ")
        if kind.isdigit():
            sizes[label] = int(kind)
        types[label] = _KINDS.get(kind, "text")
    return Known(file, next(iter(types)), types, sizes, takes, new_id, attachments or {})


TABLES: Final[Mapping[str, Known]] = {
    "clients": _known("CLIENTS.TXT", _CLIENTS, takes=True, new_id="SM{number:06d}"),
    "prospects": _known("PROSPECTS.TXT", _CLIENTS, takes=True, new_id="SM{number:06d}"),
    "adresses": _known("ADRESSES.TXT", _ADDRESSES, takes=True, new_id="SM{number:06d}"),
    "articles": _known(
        "ARTICLES.TXT", _ARTICLES, takes=False, new_id="none", attachments={"Photo": "Photos"}
    ),
    "factures": _known("FACTURES.TXT", _INVOICES, takes=False, new_id="none"),
    "representants": _known("REPRESENTANTS.TXT", _REPRESENTATIVES, takes=False, new_id="none"),
}
