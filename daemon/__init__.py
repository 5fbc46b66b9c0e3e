"""The shell: everything that touches the outside on the server side. `serve.py` is the composition root."""
