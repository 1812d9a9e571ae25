"""The waiting line on Redis (6.2 or later) or Valkey: a log there, the line itself in every process."""
