"""The engine: actors and the pure core. Runs whole on fakes, without network or database."""
