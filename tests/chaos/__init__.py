"""Chaos on real processes: kills, freezes and storms, then an auditor that knows nothing of Tandem. See __main__.py."""
