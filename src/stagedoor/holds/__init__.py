"""Seats kept off sale for one buyer for a few minutes."""
