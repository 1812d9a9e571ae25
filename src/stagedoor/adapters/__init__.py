"""Technology outside: one folder a technology."""
