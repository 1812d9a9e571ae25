"""The whole server in virtual time: real use cases, a real database, no socket, no thread, and faults on demand."""
