"""Areas and distances that were published, where the recorded map is there."""

from dataclasses import dataclass

import pytest

from gwbroker.skymap import files
from gwbroker.skymap.regions import credible_areas, distance

from .conftest import DATA


@dataclass(frozen=True)
class Published:
    """What was published of an event; which file of it there may be."""

    event: str
    names: tuple[str, ...]
    area_90: float
    tolerance: float
    distance: float
    source: str


EVENTS = [
    Published("GW170817", ("*GW170817*", "*G298048*"), 28, 3, 40,
              "Abbott et al. (2017), PRL 119, 161101"),
    Published("GW190814", ("*GW190814*.fits*", "*S190814bv*"), 23, 1, 267,
              "GCN Circular 25333"),
    Published("GW190425", ("*GW190425*", "*S190425z*"), 10183, 20, 155,
              "GCN Circular 24168"),
]


@pytest.mark.parametrize("published", EVENTS, ids=lambda each: each.event)
def test_the_recorded_map_has_the_published_area(published):
    found = [path for folder in ("skymaps", "igwn") for name in published.names
             for path in sorted((DATA / folder).glob(name)) if ".fits" in path.name]
    if not found:
        pytest.skip(f"no FITS map of {published.event} is recorded on this machine")
    skymap = files.load(found[0])
    assert credible_areas(skymap, 0.9) == pytest.approx(
        published.area_90, abs=published.tolerance)
    if skymap.has_distance:
        assert distance(skymap).mean == pytest.approx(published.distance, rel=0.1)


def test_the_recorded_table_of_gw190814_has_the_published_area(gw190814):
    """23 square degrees: GCN Circular 25333."""
    assert credible_areas(gw190814, 0.9) == pytest.approx(23, abs=0.5)
