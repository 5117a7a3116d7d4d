"""A compact binary merger, simulated and localized by BAYESTAR.

The steps are those of ``bayestar-realize-coincs`` and ``bayestar-localize-coincs``, called as
functions: Singer & Price (2016), PRD 93, 024013; Singer et al. (2016), ApJL 829, L15.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from .multiorder import Cells


@dataclass(frozen=True)
class Noise:
    """The noise of one detector: a sensitivity curve of LALSimulation, made worse by a factor.

    Parameters
    ----------
    curve : str
        Name of the curve, without ``SimNoisePSD``.
    factor : float
        By how much the amplitude spectral density is multiplied.
    """

    curve: str
    factor: float = 1.0


@dataclass(frozen=True)
class Merger:
    """What is simulated.

    Parameters
    ----------
    ra, dec : float
        Position, degrees.
    distance : float
        Luminosity distance, Mpc.
    inclination, polarization : float
        Orientation, degrees.
    gps : float
        Arrival at the centre of the Earth, GPS seconds.
    mass1, mass2 : float
        Masses in the detectors' frame, solar masses; the spins are zero.
    waveform : str
        Approximant, by LALSimulation's name.
    f_low : float
        Lowest frequency, Hz.
    noise : mapping
        The detectors and their noise.
    seed : int
        Seed of the noise.
    """

    ra: float
    dec: float
    distance: float
    inclination: float
    polarization: float
    gps: float
    mass1: float
    mass2: float
    waveform: str
    f_low: float
    noise: Mapping[str, Noise]
    seed: int


def spectrum(noise: Noise) -> Any:
    """Return a noise power spectral density as a series of LAL."""
    import lal
    import lalsimulation

    step, highest, lowest = 0.25, 2048.0, 10.0
    series = lal.CreateREAL8FrequencySeries(
        noise.curve, lal.LIGOTimeGPS(0), 0, step, lal.SecondUnit, int(highest / step) + 1
    )
    getattr(lalsimulation, f"SimNoisePSD{noise.curve}")(series, lowest)
    values = series.data.data
    # Outside its range LAL leaves zeros, which would be no noise at all.
    series.data.data = np.where(values > 0, values * noise.factor**2, np.inf)
    return series


def observe(merger: Merger) -> dict[str, Any]:
    """Return what the matched filter of each detector sees: time, phase, SNR and its series."""
    import lal
    import lalsimulation
    from ligo.skymap.bayestar import filter
    from ligo.skymap.io.events import SingleEvent
    from ligo.skymap.tool.bayestar_realize_coincs import simulate

    class Single(SingleEvent):  # type: ignore[misc]
        detector = snr = phase = time = zerolag_time = psd = snr_series = None

        def __init__(self, **values: Any) -> None:
            self.__dict__.update(values)

    spectra = {name: spectrum(noise) for name, noise in merger.noise.items()}
    detectors = [lalsimulation.DetectorPrefixToLALDetector(name) for name in spectra]
    spins = dict.fromkeys(("spin1x", "spin1y", "spin1z", "spin2x", "spin2y", "spin2z"), 0.0)
    injection = SimpleNamespace(
        longitude=np.radians(merger.ra), latitude=np.radians(merger.dec),
        inclination=np.radians(merger.inclination), distance=merger.distance,
        polarization=np.radians(merger.polarization), time_geocent=lal.LIGOTimeGPS(merger.gps),
        mass1=merger.mass1, mass2=merger.mass2, f_lower=merger.f_low,
        waveform=merger.waveform, **spins,
    )
    seen = simulate(
        merger.seed, injection,
        [filter.InterpolatedPSD(filter.abscissa(s), s.data.data) for s in spectra.values()],
        [d.response for d in detectors], [d.location for d in detectors], "gaussian-noise",
    )
    return {
        name: Single(
            detector=name, snr=snr, phase=phase, time=float(time), zerolag_time=float(time),
            psd=psd, snr_series=series,
        )
        for (name, psd), (_, snr, phase, time, series) in zip(spectra.items(), seen, strict=True)
    }


def localize(merger: Merger, singles: Mapping[str, Any], detectors: Sequence[str]) -> Cells:
    """Return the sky map that BAYESTAR makes from some of the detectors."""
    from ligo.skymap import bayestar, distance, moc
    from ligo.skymap.io.events import Event

    class Coincidence(Event):  # type: ignore[misc]
        singles: Any = None
        template_args: Any = None

    coincidence = Coincidence()
    coincidence.singles = [singles[name] for name in detectors]
    coincidence.template_args = {
        "mass1": merger.mass1, "mass2": merger.mass2, "spin1z": 0.0, "spin2z": 0.0,
    }
    table = bayestar.localize(coincidence, waveform=merger.waveform, f_low=merger.f_low)
    mean, std, _ = distance.parameters_to_moments(table["DISTMU"], table["DISTSIGMA"])
    uniq = np.asarray(table["UNIQ"], np.int64)
    prob = np.asarray(table["PROBDENSITY"] * moc.uniq2pixarea(uniq), np.float64)
    known = np.isfinite(table["DISTMU"]) & np.isfinite(mean) & np.isfinite(std)
    return Cells(
        uniq, prob / prob.sum(), np.where(known, mean, np.nan), np.where(known, std, np.nan)
    )
