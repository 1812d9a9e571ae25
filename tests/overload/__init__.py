"""A sale at more than it can do, and with a database that says nothing: what the proof and its suite share."""

STALL = "stall"
"""The file in a server's working folder for as long as whose database says nothing."""
