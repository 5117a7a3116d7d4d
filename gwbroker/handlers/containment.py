"""Which probability each mission's error radius holds, and who says so.

A unified-schema notice that states ``containment_probability`` is taken at its word; this
table is for the others. docs/reference/containment.rst shows it.
"""

from __future__ import annotations

from dataclasses import dataclass

SCHEMA = "the GCN unified schema: containment_probability is 0.9 where it is absent"
MISSION = "gcn.nasa.gov/missions/"


@dataclass(frozen=True)
class Containment:
    """What an error radius means.

    Parameters
    ----------
    mission, instrument : str
        Whose radius it is.
    probability : float
        The probability that the true position is within the radius.
    errors : str
        ``statistical``, ``statistical and systematic``, or ``not stated``; and whether
        gwbroker adds the systematic ones.
    source : str
        Who says so.
    """

    mission: str
    instrument: str
    probability: float
    errors: str
    source: str

    @property
    def text(self) -> str:
        """One line that goes with every region made from it."""
        return (f"{self.mission} {self.instrument}: {100 * self.probability:g} %, errors "
                f"{self.errors}; {self.source}")


STATISTICAL = "statistical"
BOTH = "statistical and systematic"
UNSTATED = "not stated"
ADDED = "statistical; the systematic ones are added"
GBM = ("containment_probability 0.68 in its unified notices; added are {} deg for {} % of the"
       " bursts and {} deg for the others, which hold 68 %: ")
OLD = "Connaughton et al. 2015, ApJS 216, 32; Goldstein et al. 2020, ApJ 895, 40"
ROBOBA = "GCN Circular 25726; Goldstein et al. 2020, ApJ 895, 40 (arXiv:1909.03006)"

TABLE = {
    "fermi-gbm": Containment(
        "Fermi", "GBM, subthreshold and tests", 0.68, STATISTICAL,
        "containment_probability 0.68 in its unified notices; 1 sigma in"
        " gcn.gsfc.nasa.gov/fermi.html; the systematic error (about 4 deg, with a tail to"
        " 14 deg) is not included: Connaughton et al. 2015, ApJS 216, 32"),
    "fermi-gbm-flight": Containment(
        "Fermi", "GBM, located on board", 0.68, ADDED,
        GBM.format(7.52, 89.7, 55.6) + OLD),
    "fermi-gbm-ground": Containment(
        "Fermi", "GBM, located on the ground", 0.68, ADDED,
        GBM.format(3.72, 80.4, 13.7) + OLD),
    "fermi-gbm-final": Containment(
        "Fermi", "GBM, final", 0.68, ADDED,
        GBM.format(3.71, 90, 14.3) + OLD),
    "fermi-gbm-roboba": Containment(
        "Fermi", "GBM, final by RoboBA", 0.68, ADDED,
        GBM.format(1.8, 52, 4.1) + ROBOBA),
    "fermi-gbm-roboba-long": Containment(
        "Fermi", "GBM, final by RoboBA, long burst", 0.68, ADDED,
        GBM.format(1.9, 58, 4.1) + ROBOBA),
    "fermi-gbm-roboba-short": Containment(
        "Fermi", "GBM, final by RoboBA, short burst", 0.68, ADDED,
        GBM.format(2.6, 39, 4.4) + ROBOBA),
    "fermi-lat": Containment(
        "Fermi", "LAT", 0.90, STATISTICAL,
        f"{MISSION}fermi; gcn.gsfc.nasa.gov/fermi.html calls its typical errors 1 sigma"),
    "swift-bat": Containment(
        "Swift", "BAT", 0.90, BOTH,
        f"{MISSION}swift; GCN Circular 16332 (3 arcmin, radius, 90 % containment, including"
        " systematic uncertainty)"),
    "swift-xrt": Containment(
        "Swift", "XRT", 0.90, BOTH,
        "Evans et al. 2009, MNRAS 397, 1177 (90 % confidence)"),
    "swift-uvot": Containment(
        "Swift", "UVOT", 0.90, UNSTATED,
        "no notice states it; taken as for XRT and as Swift's circulars write it (radius, 90 %"
        " confidence)"),
    "swift-guano": Containment("Swift", "BAT-GUANO", 0.90, UNSTATED, SCHEMA),
    "svom-eclairs": Containment("SVOM", "ECLAIRs", 0.90, STATISTICAL, f"{MISSION}svom"),
    "svom-grm": Containment("SVOM", "GRM", 0.90, STATISTICAL, f"{MISSION}svom"),
    "svom-mxt": Containment("SVOM", "MXT", 0.90, STATISTICAL, f"{MISSION}svom"),
    "svom-vt": Containment("SVOM", "VT", 0.90, STATISTICAL, f"{MISSION}svom"),
    "ep-wxt": Containment(
        "Einstein Probe", "WXT", 0.90, UNSTATED,
        f"{SCHEMA}; {MISSION}einstein-probe states 90 % for FXT only"),
    "maxi-gsc": Containment(
        "MAXI", "GSC", 0.90, BOTH,
        f"gcn.gsfc.nasa.gov/maxi.html and {MISSION}maxi; unified notices say of themselves"
        " that the systematic error (0.1 deg) is not included"),
    "integral-ibis": Containment(
        "INTEGRAL", "IBIS", 0.90, STATISTICAL,
        f"{MISSION}integral; ibas.iasf-milano.inaf.it (90 % c.l.)"),
    "gecam": Containment(
        "GECAM", "GRD", 0.68, STATISTICAL,
        "its text notices call the radius SRC_ERROR68"),
    "burstcube": Containment("BurstCube", "CsI", 0.90, STATISTICAL, SCHEMA),
    "icecube-track": Containment(
        "IceCube", "gold and bronze tracks", 0.90, STATISTICAL,
        f"src_error_90 in its VOEvents; {MISSION}icecube: 90 % for ra_dec_error, with"
        " systematic errors from the first revision on"),
    "icecube-cascade": Containment(
        "IceCube", "cascades", 0.90, BOTH,
        "src_error_90 in its VOEvents; the region is far from round, its own map is better"),
    "icecube-hese": Containment(
        "IceCube", "HESE", 0.90, BOTH,
        "gcn.gsfc.nasa.gov/admin/amon_hese_announce.txt (2016)"),
    "icecube-ehe": Containment(
        "IceCube", "EHE", 0.50, STATISTICAL,
        "GCN Circular 19787 (radius, stat. only, 50 % containment; too small by a factor of"
        " about five)"),
    "amon-nu-em": Containment(
        "AMON", "neutrino-gamma coincidences", 0.90, STATISTICAL,
        "gcn.gsfc.nasa.gov/admin/amon_nu_em_coinc_announce.txt (2020), src_error_90"),
    "km3net": Containment(
        "KM3NeT", "ARCA and ORCA", 0.90, BOTH,
        f"{MISSION}km3net gives 50, 68 and 90 % contours; in the schema's example"
        " ra_dec_error is 1.82 times src_error_50, which is 90 % for a Gaussian"),
    "superk": Containment(
        "Super-Kamiokande", "supernova watch", 0.68, STATISTICAL,
        "containment_probability 0.68 in its unified notices; Src_Error68 in its VOEvents"),
    "snews": Containment(
        "SNEWS", "network", 0.90, UNSTATED, "no document states it; most notices have none"),
    "chime": Containment("CHIME", "FRB", 0.90, UNSTATED, SCHEMA),
    "dsa110": Containment("DSA-110", "FRB", 0.90, UNSTATED, SCHEMA),
    "other": Containment(
        "any other", "VOEvent", 0.90, UNSTATED,
        "an assumption: a radius whose meaning nobody states is taken as 90 %"),
}
