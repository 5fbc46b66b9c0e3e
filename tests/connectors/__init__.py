"""One contract for every connector, and what each connector promises beyond it."""
