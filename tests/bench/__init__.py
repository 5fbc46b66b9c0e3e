"""Tests of the bench: that it says what it promises, and measures something that happened."""
