"""Sky maps: pure functions, values in and values out.

``multiorder``  the map itself, a list of HEALPix cells of several sizes
``fits``        read and write FITS
``make``        maps from a position and an error: cone, ellipse, polygon
``regions``     credible areas, most probable position, distance
``summary``     the few numbers that people are told
``plot``        pictures
"""

from .multiorder import SkyMap

__all__ = ["SkyMap"]
