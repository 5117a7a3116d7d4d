"""Indexes with which many copies, or many revisions, of one message cost no more than one."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make them anew; on a large ledger that takes some seconds for each million notices."""
    for name in ("ix_notices_digest", "ix_notices_identifier"):
        op.drop_index(name, table_name="notices")
    for name, columns, condition in (
        ("ix_notices_digest", ["digest"], "duplicate_of IS NULL"),
        ("ix_notices_copies", ["digest", "offset"], "duplicate_of IS NOT NULL"),
        ("ix_notices_identifier", ["identifier", "duplicate_of", "id"], "identifier IS NOT NULL"),
    ):
        op.create_index(name, "notices", columns, unique=False, sqlite_where=sa.text(condition),
                        postgresql_where=sa.text(condition))
