"""Examples that can be run: each stands on its own and uses Tandem from outside, as anybody else would."""
