"""The two distributions, `tandemd` and `tandem-client`, as packages."""
