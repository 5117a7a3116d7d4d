"""What each stream brought, and when it last did."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from .models import streams


def listing(connection: Connection) -> list[dict[str, Any]]:
    """Return every (source, topic) that brought something, as plain dictionaries."""
    return [dict(row) for row in connection.execute(
        select(streams).order_by(streams.c.source, streams.c.topic)).mappings()]
