"""The table: time windows, rates and bounds of the pairs that are known, with their sources."""

from __future__ import annotations

from .far import DAY, YEAR
from .pair import Pair

GWCELERY = "GWCelery 3.0.0 (2026), raven_coincidence_windows"
"""Where the windows come from that LIGO/Virgo/KAGRA's own low-latency search uses."""

RATES = "GWCelery 3.0.0 (2026), raven_ext_rates; method in LIGO-T1900297"
"""Where the rates of external events come from."""

RAVEN = "ligo-raven 3.3 (2024), coinc_far"
"""Where the largest rates of the targeted search come from."""

ONCE_A_CENTURY = "Antonioli et al. 2004, New J. Phys. 6, 114: SNEWS's bound on false alerts"

_GRB = 325 / YEAR
_SUBGRB = 390 / YEAR
_FRB = 485 / YEAR
_HEN = 15 / YEAR

PAIRS = (
    Pair(("gw", "grb"), (-5, 1), GWCELERY, "cbc", None, _GRB, RATES,
         (1 / DAY, 1e-4), f"{RAVEN}, as of Fermi"),
    Pair(("gw", "grb"), (-600, 60), GWCELERY, "burst", None, _GRB, RATES,
         (1 / DAY, 1e-4), f"{RAVEN}, as of Fermi"),
    Pair(("gw", "subgrb"), (-11, 1), GWCELERY, None, "fermi", _SUBGRB, RATES,
         (1 / DAY, 1e-4), RAVEN, "targeted"),
    Pair(("gw", "subgrb"), (-20, 10), GWCELERY, None, "swift", _SUBGRB, RATES,
         (2 / DAY, 1e-3), RAVEN, "targeted"),
    Pair(("gw", "frb"), (-10, 2), GWCELERY, "cbc", None, _FRB, RATES),
    Pair(("gw", "frb"), (-600, 120), GWCELERY, "burst", None, _FRB, RATES),
    Pair(("gw", "neutrino"), (-10, 10), GWCELERY, "cbc", None, _HEN, RATES),
    Pair(("gw", "neutrino"), (-500, 500), GWCELERY, "burst", None, _HEN, RATES),
    Pair(("gw", "supernova"), (-10, 10), GWCELERY, None, None, 1 / (100 * YEAR),
         ONCE_A_CENTURY, publish="first"),
)
"""All pairs that are known. Where several fit, the first one is taken.

GWCelery has no joint rate with supernova neutrinos; ours takes SNEWS's own bound on false alerts,
one in a century, so it is an upper limit.
"""
