"""How the schema came to be, one module a step. `schema.upgrade` runs them; no configuration file is needed."""
