"""The house rules as tests: what review would otherwise have to repeat."""
