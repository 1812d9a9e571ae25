"""A real on-sale on the cluster profile while its dependencies fail, one after another, and what became of it."""
