"""Provenance: which map, which catalogue and which versions made a table."""

from __future__ import annotations

import hashlib
from typing import Any

from .. import __version__
from ..skymap.multiorder import SkyMap
from .catalogue import Catalogue


def of(skymap: SkyMap) -> dict[str, Any]:
    """Return what identifies a map, and the version that used it.

    The digest is the SHA-256 of its columns, in the order of the cells: the same for the same
    map in whatever file.
    """
    digest = hashlib.sha256()
    for name, values in skymap.columns.items():
        digest.update(name.encode())
        digest.update(values.astype(values.dtype.newbyteorder("<")).tobytes())
    return {"map": skymap.meta.get("OBJECT"), "map_sha256": digest.hexdigest(),
            "gwbroker": __version__}


def of_catalogue(catalogue: Catalogue) -> dict[str, Any]:
    """Return what identifies a catalogue."""
    return {"catalogue": catalogue.name, "catalogue_digest": catalogue.digest,
            "catalogue_source": dict(catalogue.manifest["source"]),
            "catalogue_rows": catalogue.rows}
