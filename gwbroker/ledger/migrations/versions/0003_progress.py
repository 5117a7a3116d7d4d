"""Progress of jobs; events by time."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add them; no existing job has said how far it is."""
    op.add_column("jobs", sa.Column(
        "progress", sa.JSON(), nullable=True,
        comment="How far it is while it runs: done, total, note"))
    op.create_index(op.f("ix_events_t0"), "events", ["t0"], unique=False)
    if op.get_context().dialect.name == "postgresql":
        # SQLite keeps no comments.
        op.alter_column("jobs", "priority", comment=(
            "0: live; 1: of an old message, or not urgent; it waits for those"))
