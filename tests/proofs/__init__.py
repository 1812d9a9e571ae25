"""What takes minutes to hours to show: a module a proof, run by `make proof` or `python -m tests.proofs.NAME`."""
