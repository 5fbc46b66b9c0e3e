"""The emulators: their common frame, and each system's own quirks, asked over HTTP as a connector asks."""
