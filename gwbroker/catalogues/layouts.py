"""Layouts: where the files that people download have what a catalogue keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..errors import SkyMapError
from .columns import GIVEN

SUN_B = 5.44
"""Absolute B magnitude of the Sun, Vega system (Willmer 2018, ApJS 236, 47, table 3)."""

SUN_KS = 3.27
"""Absolute 2MASS Ks magnitude of the Sun, Vega system (Willmer 2018, ApJS 236, 47, table 3)."""


@dataclass(frozen=True)
class Layout:
    """Where a file has what a catalogue keeps.

    Parameters
    ----------
    name : str
        What it is called.
    columns : mapping
        From what is kept to the columns of the file; of several names the first that a galaxy
        has is taken.
    header : tuple of str
        The columns of a text file without header, in order; empty if it has one.
    delimiter : str
        Between the columns of a text file; empty: seen from its header.
    mass_unit : float
        Solar masses in one unit of the mass column.
    sun : float
        The absolute magnitude of the Sun in the band of the magnitudes.
    band : str
        That band, or empty if it is not known.
    optional : frozenset of str
        What the file may lack.
    remedy : str
        What to do if another column is missing, with ``{wanted}`` and ``{names}``.
    """

    name: str
    columns: Mapping[str, tuple[str, ...]]
    header: tuple[str, ...] = ()
    delimiter: str = ""
    mass_unit: float = 1.0
    sun: float = SUN_B
    band: str = ""
    optional: frozenset[str] = field(default_factory=lambda: frozenset(GIVEN) - {"ra", "dec"})
    remedy: str = "name the column with --column {wanted}=NAME"

    def find(self, source: str, present: Sequence[str]) -> Layout:
        """Return the layout with only those columns that a file has.

        Raises
        ------
        SkyMapError
            If one that is needed is missing, naming it.
        """
        found: dict[str, tuple[str, ...]] = {}
        for wanted, names in self.columns.items():
            here = tuple(name for name in names if name in present)
            if here:
                found[wanted] = here
            elif wanted not in self.optional:
                remedy = self.remedy.format(wanted=wanted, names=", ".join(names))
                raise SkyMapError(
                    source, f"is missing; the file has {_some(present)}; {remedy}", names[0])
        return replace(self, columns=found)

    @property
    def wanted(self) -> tuple[str, ...]:
        """All columns of the file that are read, each once."""
        return tuple(dict.fromkeys(n for names in self.columns.values() for n in names))


_GLADE = (
    "glade", "pgc", "gwgc", "hyperleda", "2mass", "wisexscos", "sdss", "type", "ra", "dec",
    "B", "B_err", "B_flag", "B_Abs", "J", "J_err", "H", "H_err", "K", "K_err", "W1", "W1_err",
    "W2", "W2_err", "W1_flag", "B_J", "B_J_err", "z_helio", "z_cmb", "z_flag", "v_err", "z_err",
    "d_L", "d_L_err", "dist_flag", "Mstar", "Mstar_err", "Mstar_flag", "rate", "rate_err")

GLADE_PLUS = Layout(
    "glade+", header=_GLADE, delimiter=" ", mass_unit=1e10, sun=SUN_B, band="B",
    columns={
        "name": ("gwgc", "hyperleda", "2mass", "wisexscos", "sdss", "pgc", "glade"),
        "ra": ("ra",), "dec": ("dec",), "distance": ("d_L",), "distance_error": ("d_L_err",),
        "redshift": ("z_helio",), "mass": ("Mstar",), "absolute_magnitude": ("B_Abs",)})
"""GLADE+ (Dalya et al. 2022, MNRAS 514, 1403): 40 columns between single spaces, no header."""

NED_LVS = Layout(
    "ned-lvs", sun=SUN_KS, band="Ks",
    optional=frozenset({"distance_error", "redshift", "mass", "magnitude"}),
    columns={
        "name": ("objname",), "ra": ("ra",), "dec": ("dec",), "distance": ("DistMpc",),
        "distance_error": ("DistMpc_unc",), "redshift": ("z",), "mass": ("Mstar",),
        "magnitude": ("m_Ks",)})
"""The NED Local Volume Sample (Cook et al. 2023, ApJS 268, 14), as FITS, CSV or Parquet."""

_TABLE = Layout("table", {
    "name": ("name", "Name", "NAME", "objname", "id", "ID"),
    "ra": ("ra", "RA", "RAJ2000", "_RAJ2000", "ra_deg"),
    "dec": ("dec", "DEC", "Dec", "DEJ2000", "_DEJ2000", "dec_deg"),
    "distance": ("distance", "Dist", "dist", "DistMpc", "distmpc", "d_L"),
    "distance_error": ("distance_error", "e_Dist", "DistMpc_unc", "distmpc_unc"),
    "redshift": ("redshift", "z", "Z"),
    "redshift_error": ("redshift_error", "e_z", "z_unc", "z_err"),
    "luminosity": ("luminosity", "lum"),
    "mass": ("mass", "Mstar", "mstar"),
    "magnitude": ("magnitude", "mag"),
    "absolute_magnitude": ("absolute_magnitude",)})

FORMATS = ("glade+", "ned-lvs", "table")
"""What can be added."""


def layout(name: str, columns: Mapping[str, str] | None = None) -> Layout:
    """Return the layout of a format, with some columns named by the user.

    Parameters
    ----------
    name : str
        One of `FORMATS`.
    columns : mapping, optional
        From what is kept (see `GIVEN`) to a column of the file.

    Raises
    ------
    SkyMapError
        If there is no such format or nothing of that name is kept.
    """
    known = {"glade+": GLADE_PLUS, "ned-lvs": NED_LVS, "table": _TABLE}
    if name not in known:
        raise SkyMapError("format", f"{name!r} is not known; there are {', '.join(FORMATS)}")
    chosen = known[name]
    for wanted in columns or {}:
        if wanted not in GIVEN:
            raise SkyMapError("columns", f"{wanted!r} is nothing that a catalogue keeps; "
                              f"it takes {', '.join(GIVEN)}")
    named = {wanted: (column,) for wanted, column in (columns or {}).items()}
    return replace(chosen, columns={**chosen.columns, **named},
                   optional=chosen.optional - named.keys())


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:12])
    return f"{shown} and {len(names) - 12} more" if len(names) > 12 else shown or "no columns"
