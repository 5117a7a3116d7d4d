"""Observing: what a site can see of a sky map, and which fields to take when.

Pure functions, values in and values out. No network is used, not even for the Earth's rotation.

``sites``          places on Earth by name
``horizon``        where the sky, the Sun and the Moon are above a site
``night``          when it is dark
``observability``  how much of a map can be seen tonight
``telescopes``     field of view, limits and times of a telescope
``plan``           which fields to take, and when
"""

from .limits import Limits
from .observability import Observability, observable
from .planned import Plan
from .sites import Site
from .telescopes import Telescope

__all__ = ["Limits", "Observability", "Plan", "Site", "Telescope", "observable"]
