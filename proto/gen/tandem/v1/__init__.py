"""Generated from proto/tandem by proto/generate.py; never edited."""
