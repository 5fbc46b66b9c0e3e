"""Code that speaks somebody's API from outside. Its folders never import each other."""
