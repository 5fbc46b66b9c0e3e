"""The command line: generated commands against real servers."""
