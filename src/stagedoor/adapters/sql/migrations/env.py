"""Alembic runs this file; it works on the connection it is handed, in that connection's transaction."""

from alembic import context

from stagedoor.adapters.sql.migrations import building  # noqa: F401 -- how MariaDB is told of a key, also Alembic's
from stagedoor.adapters.sql.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
