"""Run the migrations on the connection that `gwbroker.ledger.schema` opened."""

from alembic import context

from gwbroker.ledger.models import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
