"""The built-in pairs as stories: each is played against the emulated systems, and ends by comparing both."""
