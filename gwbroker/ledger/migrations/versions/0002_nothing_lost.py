"""Headers and archives of notices, priority and replay of jobs, topics, cursors."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add them; existing rows are live and not archived."""
    op.add_column("notices", sa.Column(
        "headers", sa.JSON(), nullable=True,
        comment="Kafka headers: pairs of name and base64 value"))
    op.add_column("notices", sa.Column(
        "archive", sa.String(), nullable=True,
        comment="File under the archive folder that has its bytes now"))
    op.add_column("jobs", sa.Column(
        "priority", sa.Integer(), nullable=False, server_default="0",
        comment="0: live; 1: of an old message, which waits for those"))
    op.add_column("jobs", sa.Column(
        "replay", sa.String(), nullable=True, comment="The replay that it belongs to"))
    op.drop_index("ix_jobs_unfinished", table_name="jobs")
    for name, columns, where in (
        ("ix_jobs_unfinished", ["priority", "state", "queue", "due"],
         "state IN ('pending', 'sent', 'running', 'waiting')"),
        ("ix_jobs_replay", ["replay", "id"], "replay IS NOT NULL"),
    ):
        op.create_index(name, "jobs", columns, unique=False, sqlite_where=sa.text(where),
                        postgresql_where=sa.text(where))
    for column in ("duplicate_of", "revision_of"):
        where = f"{column} IS NOT NULL"
        op.create_index(f"ix_notices_{column}", "notices", [column], unique=False,
                        sqlite_where=sa.text(where), postgresql_where=sa.text(where))
    op.create_index(op.f("ix_products_notice_id"), "products", ["notice_id"], unique=False)
    op.create_table(
        "topics",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False,
                  comment="Messages read, also those not kept"),
        sa.Column("kept", sa.BigInteger(), nullable=False),
        sa.Column("last_seen", sa.Float(), nullable=True),
        sa.Column("lag", sa.BigInteger(), nullable=True,
                  comment="Messages that wait in Kafka"),
        sa.Column("problem", sa.Text(), nullable=True, comment="Why it cannot be read now"),
        sa.Column("updated", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("source", "topic", name=op.f("pk_topics")),
    )
    op.create_table(
        "cursors",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
                  nullable=False, comment="The last notice that was dealt with"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_cursors")),
    )
