"""The quickstart: an ERP folder of CSV files and a CRM in PostgreSQL tables, kept in step by a real daemon."""
