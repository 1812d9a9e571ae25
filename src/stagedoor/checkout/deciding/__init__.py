"""The rules of the sale, one module a verb, decided on one working copy."""
