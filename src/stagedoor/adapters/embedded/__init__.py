"""Everything in one process, durable in one SQLite file."""
