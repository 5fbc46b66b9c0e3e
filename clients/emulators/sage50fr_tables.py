"""The tables of Sage 50 (France) as its text exports show them: labels in the order of the file, lengths, types.

The client table is the vendor's own list of 88 columns; the others follow the labels of its field lists.
"""

from __future__ import annotations

from typing import Final

from clients.emulators.description import Description, Field, Table

DOC: Final = "Sage 50 (France): a dossier that exports to a folder and takes imports from one."
_TYPES: Final = {"oui": "boolean", "entier": "integer", "montant": "decimal", "date": "date", "texte": "text"}
_THIRD_PARTY: Final = """
Code 13|Nom 50|Société 50|Forme juridique 35|Adresse 1 35|Adresse 2 35|Adresse 3 35|Code Postal 10|Ville 35|Pays 35|NPAI oui|
Société Livraison 50|Forme juridique livraison 35|Adresse 1 Livraison 35|Adresse 2 Livraison 35|Adresse 3 Livraison 35|
Code Postal Livraison 10|Ville Livraison 35|Pays Livraison 35|NPAI Livraison oui|Famille clients 35|Mode de paiement 13|
Libellé mode de paiement 35|Téléphone 25|Portable 25|Fax 25|Télex 25|Risque 35|Bloqué oui|Encours autorisé montant|
Mode TVA 35|N° TVA intracom 19|Nom Banque 35|Adresse 1 Banque 35|Adresse 2 Banque 35|Adresse 3 Banque 35|
Code Postal Banque 10|Ville Banque 35|Pays Banque 35|Code Banque 5|Code Guichet 5|Numéro Compte 15|Clé RIB 3|
Compte Comptable 13|Analytique 13|Taux Remise montant|Observations texte|Export Compta oui|Banque sur rayon oui|
Assujetti TPF oui|Relevé Compte oui|E-mail 127|URL 127|SIRET 17|Représentant 13|Nom Représentant 35|
Encours initial montant|Encours disponible montant|Nombre Exemplaire Facture entier|Accepter Daily oui|
Date Dernière Commande date|Code Tarif 35|Téléphone Livraison 25|Portable Livraison 25|Fax Livraison 25|
Télex Livraison 25|Encours montant|Client divers oui|Ne pas relancer oui|Date de création date|IBAN 35|BIC 15|
Nom du contact 35|Société du contact 50|Titre du contact 35|Fonction du contact 35|Téléphone du contact 25|
Portable du contact 25|Fax du contact 25|Télex du contact 25|E-mail du contact 127|Site web du contact 127|
Facturer en TTC oui|NAF (APE) 4|Intitulé.CtAna 35|Exclure des mailings oui|Intitulé compte comptable 35|Type de client 35
"""
_ADDRESSES: Final = """
Code adresse 20|Code client 13|Adresse de contact oui|Titre 35|Nom 35|Fonction 35|Société 50|Adresse 1 35|Adresse 2 35|
Adresse 3 35|Code Postal 10|Ville 35|Pays 35|Téléphone 25|Portable 25|Fax 25|E-mail 127|URL 127
"""
_ARTICLES: Final = """
Code 15|Famille 13|Désignation courte 35|Désignation longue texte|Marque 30|Bloqué oui|Poids unitaire net montant|
Prix d'achat HT montant|Prix de vente HT montant|Prix de vente TTC montant|Code TVA 13|Taux TVA montant|Suivi stock oui|
Stock réel montant|Stock minimum montant|Photo 127|Observation texte|Code barre 13|Publiable sur le Web oui|
Article Inutilisé oui|Date de création date
"""
_INVOICES: Final = """
N° pièce 13|Ordre entier|Type de pièce 35|Date Pièce date|Client 13|Société 50|Référence de la pièce 80|Remarque 80|
Représentant 13|Nom Représentant 35|Total HT montant|Total TVA montant|Total TTC montant|Solde Dû montant|
Date Echéance date|Validée oui|Soldée oui|Comptabilisée oui|Transférée oui|Irrécouvrable oui|Observations texte
"""
_REPRESENTATIVES: Final = """
Code 13|Nom 35|Titre 35|Fonction 35|Région 35|Téléphone 25|Portable 25|Adresse 1 35|Code Postal 10|Ville 35|Pays 35|
Commission montant|E-mail 127|Commentaire texte
"""
NAMED: Final = ("Nom", "Société")  # a client has one of the two
FILES: Final = {
    "clients": "CLIENTS.TXT",
    "prospects": "PROSPECTS.TXT",
    "adresses": "ADRESSES.TXT",
    "articles": "ARTICLES.TXT",
    "factures": "FACTURES.TXT",
    "representants": "REPRESENTANTS.TXT",
}
TAKES: Final = frozenset({"clients", "prospects", "adresses"})


def _table(name: str, labels: str) -> Table:
    fields = [_field(part.strip()) for part in labels.replace("\n", "").split("|")]
    return Table(name, key=fields[0].name, draws=False, fields=tuple(fields))


def _field(text: str) -> Field:
    label, _, kind = text.rpartition(" ")
    if kind.isdigit():
        return Field(label, size=int(kind))
    # A box that nobody ticked says Non.
    return Field(label, _TYPES[kind], default=False if kind == "oui" else None)


TABLES: Final = (
    _table("clients", _THIRD_PARTY),
    _table("prospects", _THIRD_PARTY),
    _table("adresses", _ADDRESSES),
    _table("articles", _ARTICLES),
    _table("factures", _INVOICES),
    _table("representants", _REPRESENTATIVES),
)
SAGE: Final = Description("sage50fr", DOC, TABLES, unknown_fields="refused")
