"""The first tables: notices, jobs, events, products, leases, streams."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("role", sa.String(length=8), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("t0", sa.Float(), nullable=True),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("flags", sa.JSON(), nullable=False, comment="What is wrong with its notices"),
        sa.Column("created", sa.Float(), nullable=False),
        sa.Column("updated", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("holder", sa.String(), nullable=True),
        sa.Column("host", sa.String(), nullable=True),
        sa.Column("pid", sa.Integer(), nullable=True),
        sa.Column("started", sa.Float(), nullable=True),
        sa.Column("until", sa.Float(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.Float(), nullable=False),
        sa.Column("state", sa.String(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "notices",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=True),
        sa.Column("offset", sa.BigInteger(), nullable=True),
        sa.Column(
            "digest", sa.LargeBinary(length=32), nullable=False, comment="SHA-256 of the payload"
        ),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("received", sa.Float(), nullable=False),
        sa.Column("sent", sa.Float(), nullable=True),
        sa.Column(
            "identifier",
            sa.String(),
            nullable=True,
            comment="What the sender calls the message or its subject",
        ),
        sa.Column(
            "duplicate_of", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column(
            "revision_of", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.ForeignKeyConstraint(
            ["duplicate_of"], ["notices.id"], name=op.f("fk_notices_duplicate_of")
        ),
        sa.ForeignKeyConstraint(
            ["revision_of"], ["notices.id"], name=op.f("fk_notices_revision_of")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_notices_digest"), "notices", ["digest"], unique=False)
    op.create_index(op.f("ix_notices_identifier"), "notices", ["identifier"], unique=False)
    op.create_index(
        op.f("ix_notices_topic_received"), "notices", ["topic", "received"], unique=False
    )
    op.create_table(
        "streams",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("last_received", sa.Float(), nullable=False),
        sa.Column(
            "last_notice", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.PrimaryKeyConstraint("source", "topic", name=op.f("pk_streams")),
    )
    op.create_table(
        "event_notices",
        sa.Column("event_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "notice_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("revision", sa.Integer(), nullable=False, comment="1, 2, ... within the event"),
        sa.Column(
            "alert", sa.String(length=24), nullable=False, comment="As initial, update, retraction"
        ),
        sa.Column(
            "issued", sa.Float(), nullable=True, comment="When the sender says that it made it"
        ),
        sa.Column(
            "said",
            sa.JSON(),
            nullable=True,
            comment="What it said of the event, as merge() wants it",
        ),
        sa.ForeignKeyConstraint(
            ["event_id"], ["events.id"], name=op.f("fk_event_notices_event_id")
        ),
        sa.ForeignKeyConstraint(
            ["notice_id"], ["notices.id"], name=op.f("fk_event_notices_notice_id")
        ),
        sa.PrimaryKeyConstraint("event_id", "notice_id", name=op.f("pk_event_notices")),
    )
    op.create_index(
        op.f("ix_event_notices_notice_id"), "event_notices", ["notice_id"], unique=False
    )
    op.create_table(
        "identifiers",
        sa.Column("identifier", sa.String(), nullable=False),
        sa.Column("event_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_identifiers_event_id")),
        sa.PrimaryKeyConstraint("identifier", name=op.f("pk_identifiers")),
    )
    op.create_index(op.f("ix_identifiers_event_id"), "identifiers", ["event_id"], unique=False)
    op.create_table(
        "jobs",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("notice_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("handler", sa.String(), nullable=False),
        sa.Column("queue", sa.String(), nullable=False),
        sa.Column("args", sa.JSON(), nullable=False),
        sa.Column(
            "key",
            sa.String(),
            nullable=True,
            comment="A second submission with the same key adds nothing",
        ),
        sa.Column(
            "serial",
            sa.String(),
            nullable=True,
            comment="Jobs with the same value run one at a time, in order",
        ),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("sends", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("traceback", sa.Text(), nullable=True),
        sa.Column("created", sa.Float(), nullable=False),
        sa.Column("due", sa.Float(), nullable=False),
        sa.Column("sent", sa.Float(), nullable=True),
        sa.Column("started", sa.Float(), nullable=True),
        sa.Column("finished", sa.Float(), nullable=True),
        sa.Column("claimant", sa.String(), nullable=True),
        sa.Column("lease_until", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["notice_id"], ["notices.id"], name=op.f("fk_jobs_notice_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
        sa.UniqueConstraint("key", name=op.f("uq_jobs_key")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_jobs_dead",
        "jobs",
        ["id"],
        unique=False,
        sqlite_where=sa.text("state = 'dead'"),
        postgresql_where=sa.text("state = 'dead'"),
    )
    op.create_index(op.f("ix_jobs_notice_id"), "jobs", ["notice_id"], unique=False)
    op.create_index(
        "ix_jobs_serial",
        "jobs",
        ["serial", "id"],
        unique=False,
        sqlite_where=sa.text("state IN ('pending', 'sent', 'running', 'waiting')"),
        postgresql_where=sa.text("state IN ('pending', 'sent', 'running', 'waiting')"),
    )
    op.create_index(
        "ix_jobs_unfinished",
        "jobs",
        ["due"],
        unique=False,
        sqlite_where=sa.text("state IN ('pending', 'sent', 'running', 'waiting')"),
        postgresql_where=sa.text("state IN ('pending', 'sent', 'running', 'waiting')"),
    )
    op.create_table(
        "payloads",
        sa.Column(
            "notice_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["notice_id"], ["notices.id"], name=op.f("fk_payloads_notice_id")),
        sa.PrimaryKeyConstraint("notice_id", name=op.f("pk_payloads")),
    )
    op.create_table(
        "products",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("event_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("notice_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("made", sa.Float(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_products_event_id")),
        sa.ForeignKeyConstraint(["notice_id"], ["notices.id"], name=op.f("fk_products_notice_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_products")),
        sa.UniqueConstraint("path", name=op.f("uq_products_path")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_products_event_id"), "products", ["event_id"], unique=False)


def downgrade() -> None:
    """Drop the tables."""
    op.drop_index(op.f("ix_products_event_id"), table_name="products")
    op.drop_table("products")
    op.drop_table("payloads")
    op.drop_index(
        "ix_jobs_unfinished",
        table_name="jobs",
        sqlite_where=sa.text("state IN ('pending', 'sent', 'running', 'waiting')"),
        postgresql_where=sa.text("state IN ('pending', 'sent', 'running', 'waiting')"),
    )
    op.drop_index(
        "ix_jobs_serial",
        table_name="jobs",
        sqlite_where=sa.text("state IN ('pending', 'sent', 'running', 'waiting')"),
        postgresql_where=sa.text("state IN ('pending', 'sent', 'running', 'waiting')"),
    )
    op.drop_index(op.f("ix_jobs_notice_id"), table_name="jobs")
    op.drop_index(
        "ix_jobs_dead",
        table_name="jobs",
        sqlite_where=sa.text("state = 'dead'"),
        postgresql_where=sa.text("state = 'dead'"),
    )
    op.drop_table("jobs")
    op.drop_index(op.f("ix_identifiers_event_id"), table_name="identifiers")
    op.drop_table("identifiers")
    op.drop_index(op.f("ix_event_notices_notice_id"), table_name="event_notices")
    op.drop_table("event_notices")
    op.drop_table("streams")
    op.drop_index(op.f("ix_notices_topic_received"), table_name="notices")
    op.drop_index(op.f("ix_notices_identifier"), table_name="notices")
    op.drop_index(op.f("ix_notices_digest"), table_name="notices")
    op.drop_table("notices")
    op.drop_table("leases")
    op.drop_table("events")
