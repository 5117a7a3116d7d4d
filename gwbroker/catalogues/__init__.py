"""Catalogues: galaxies as HEALPix-partitioned Parquet, matched with sky maps in space."""

from .add import add
from .candidates import Candidates
from .catalogue import Catalogue, listing
from .crossmatch import Ranking, crossmatch
from .scorer import Scorer, score

__all__ = [
    "Candidates", "Catalogue", "Ranking", "Scorer", "add", "crossmatch", "listing", "score",
]
