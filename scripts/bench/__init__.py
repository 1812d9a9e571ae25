"""How fast the server is, beside the fastest that a server in Python can be: `make bench`, docs/how-to/measure.md."""

CONNECTIONS = 64
"""So many call a server at once; of a cluster some rows have as many for each process."""
