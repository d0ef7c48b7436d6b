"""How Alembic runs our migrations: on the connection that it is handed, inside that connection's transaction."""

from __future__ import annotations

from alembic import context

from api.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=False,  # the caller holds the transaction
    render_as_batch=True,
)
context.run_migrations()
