"""Sky maps: pure functions, values in and values out.

``multiorder``  the map itself, a list of HEALPix cells of several sizes
``files``       read and write maps of any format: FITS, Parquet, base64 in JSON
``flatten``     maps in pixels of one size
``make``        maps from a position and an error: cone, ellipse, polygon
``regions``     credible areas, most probable position, distance
``distances``   the distance in a cell and along a line of sight
``marginal``    the distance over the whole sky
``volume``      credible volumes and levels in three dimensions
``moc``         regions of the sky, and their files
``footprint``   the probability within a region
``compare``     what changed from one revision to the next
``summary``     the few numbers that people are told
``plot``        pictures
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .multiorder import SkyMap

__all__ = ["SkyMap"]


def __getattr__(name: str) -> Any:
    """Import healpy and numpy only for those who need the map itself."""
    if name != "SkyMap":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .multiorder import SkyMap

    return SkyMap
