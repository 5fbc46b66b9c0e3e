"""The tests of Tandem: one folder per part, plus `tidy` (the house rules), `sim` and `e2e` (the whole)."""
