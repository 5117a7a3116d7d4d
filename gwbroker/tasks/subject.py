"""Subject: a map of an event, as a task works on it, and where its products go."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from .. import __version__, products
from ..jobs import outbox
from ..ledger import events as rows
from ..ledger.engine import read, write
from ..products import Stored

if TYPE_CHECKING:
    from ..skymap.multiorder import SkyMap

MAP = "skymap.multiorder.fits"
"""How the name of the file ends that `gwbroker.tasks.skymaps.localize` stores."""


@dataclass(frozen=True)
class Subject:
    """A map of an event.

    Parameters
    ----------
    event, notice : int
        Numbers of the event and of the notice that brought the map.
    map_path : str
        Where the map is, below the folder of products; all else goes beside it, also if the
        event has got another name since.
    row : mapping
        The event, as it was when the task began.
    """

    event: int
    notice: int
    map_path: str
    row: Mapping[str, Any]

    @classmethod
    def load(cls, event: int, notice: int, map_path: str) -> Subject:
        """Look the event up.

        Raises
        ------
        NotFound
            If there is no such event.
        """
        with read() as connection:
            return cls(event, notice, map_path, rows.get(connection, event))

    @property
    def name(self) -> str:
        """The event's name."""
        return str(self.row["name"])

    @property
    def retracted(self) -> bool:
        """Whether the event is taken back: nothing is drawn for it any more."""
        return bool(self.row["state"] == "retracted")

    @property
    def stands(self) -> bool:
        """Whether this map is the event's newest, and the event is not retracted."""
        return not self.retracted and self.row["facts"].get("skymap_notice") == self.notice

    def before(self) -> Subject | None:
        """Return the map of the last notice issued before this one's; None if it is the first."""
        with read() as connection:
            history = rows.history(connection, self.event)
            places = {row["notice_id"]: _place(row) for row in history}
            earlier = sorted((place, notice) for notice, place in places.items()
                             if place < places[self.notice])
            for _, notice in reversed(earlier):
                found = rows.product_of(connection, self.event, notice, "skymap")
                if found is not None:
                    return Subject(self.event, notice, found["path"], self.row)
        return None

    def skymap(self) -> SkyMap:
        """Read the map."""
        from ..skymap import fits

        return fits.read(products.folder() / self.map_path)

    def path(self, kind: str, suffix: str) -> str:
        """Return where a product of this map goes."""
        return f"{self.map_path.removesuffix(MAP)}{products.slug(kind)}.{suffix}"

    def provenance(self) -> dict[str, Any]:
        """Return what a product of this map is made from."""
        return {"event": self.name, "notice": self.notice, "map": self.map_path,
                "map_sha256": self.digest, "software": f"gwbroker {__version__}"}

    @property
    def digest(self) -> str:
        """SHA-256 of the map's file, as the ledger has it; empty if it does not."""
        with read() as connection:
            found = rows.product_at(connection, self.map_path)
        return "" if found is None else bytes(found["digest"]).hex()

    def keep(
        self, kind: str, suffix: str, write: Callable[[Path], None],
        facts: Mapping[str, Any] | None = None, name: str | None = None,
    ) -> Stored:
        """Store a product and note it at once: what is made can be seen, whatever follows.

        Parameters
        ----------
        kind : str
            What it is.
        suffix : str
            Of its file.
        write : callable
            Writes it to a path.
        facts : mapping, optional
            What is known of it, JSON values.
        name : str, optional
            In its path, if there are several of a kind.
        """
        stored = products.store(self.path(name or kind, suffix), write)
        self._note(kind, stored, facts)
        return stored

    def keep_json(
        self, kind: str, value: Mapping[str, Any], facts: Mapping[str, Any] | None = None,
        name: str | None = None,
    ) -> Stored:
        """Store a product of JSON values and note it at once."""
        stored = products.store_json(self.path(name or kind, "json"), value)
        self._note(kind, stored, facts)
        return stored

    def _note(self, kind: str, stored: Stored, facts: Mapping[str, Any] | None) -> None:
        with write() as connection:
            note(connection, self.event, self.notice, kind, stored, facts or {})

    def learn(self, facts: Mapping[str, Any]) -> bool:
        """Add facts to the event if this map still stands; return whether it does."""
        with outbox() as box:
            row = rows.get(box.connection, self.event, hold=True)
            stands = Subject(self.event, self.notice, self.map_path, row).stands
            if stands and any(row["facts"].get(key, ...) != value
                              for key, value in facts.items()):
                rows.change(box.connection, self.event, {"facts": {**row["facts"], **facts}})
        return stands


def note(
    connection: Connection, event: int, notice: int, kind: str, stored: Stored,
    facts: Mapping[str, Any],
) -> None:
    """Note a product in the ledger; made again, it replaces its row."""
    rows.add_product(connection, event_id=event, notice_id=notice, kind=kind, path=stored.path,
                     digest=stored.digest, size=stored.size, facts=dict(facts))


def newest(history: Sequence[Mapping[str, Any]], notice: int, known: int | None) -> bool:
    """Tell whether a notice was issued after the one whose map stands, if any."""
    issued = {row["notice_id"]: _place(row) for row in history}
    return known is None or issued[notice] >= issued.get(known, (0.0, 0))


def _place(row: Mapping[str, Any]) -> tuple[float, int]:
    """Return what puts the notices about an event in the order in which they were issued."""
    return row["issued"] or 0.0, row["revision"]
