"""Values in the words of the domain, for tests."""
