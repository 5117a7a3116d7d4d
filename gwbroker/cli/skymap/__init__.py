"""``gwbroker skymap``: questions to a sky map in a file; no broker is needed."""

from __future__ import annotations

from ..lazy import group

skymap = group(__name__, "Ask a sky map in a file; no broker is needed.", {
    "info": "Areas, volume, position, distance.",
    "level": "The credible level at a position.",
    "overlap": "How far two maps agree: 1 for independent ones.",
    "combine": "The product of maps, or their joint map.",
    "compare": "What changed from one revision to the next.",
    "plot": "Draw pictures of a map.",
    "flatten": "Write a map in pixels of one size.",
    "unflatten": "Write a flat map in cells of several sizes.",
    "moc": "The region of a credible level, as a MOC.",
    "footprint": "How much probability is within a region: MOC or circle.",
    "crossmatch": "Rank galaxies, or score candidates, against a map.",
    "observable": "How much of a map a site can see tonight.",
    "plan": "Which fields a telescope should observe, and when.",
    "localize": "Make a map: position, GBM, annulus, samples, coinc.xml.",
})
