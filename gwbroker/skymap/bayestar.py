"""Sky maps of compact binary mergers by BAYESTAR, from what the matched filters found.

Singer & Price (2016), PRD 93, 024013. It is ligo.skymap that computes; this only hands over
and names what is wrong.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..errors import SkyMapError
from . import ligo
from .bounds import check
from .multiorder import SkyMap

F_LOW = 15.0
"""Lowest frequency of the template, Hz."""

EXTRA = "ligo.skymap is not installed: python -m pip install 'gwbroker[bayestar]'"


def localize(
    coinc: str | os.PathLike[str],
    psds: str | os.PathLike[str] | None = None,
    *,
    f_low: float = F_LOW,
    disabled: Collection[str] = (),
    threads: int | None = None,
) -> SkyMap:
    """Return the sky map of a coincidence, with distances.

    The same input gives the same map, whatever the number of threads is.

    Parameters
    ----------
    coinc : path-like
        LIGO_LW XML with one coincidence, its triggers and SNR series (``coinc.xml``).
    psds : path-like, optional
        LIGO_LW XML with the noise of each detector; by default it is in `coinc`.
    f_low : float
        Lowest frequency of the template, Hz.
    disabled : collection of str
        Detectors to leave out, as ``H1``.
    threads : int, optional
        How many; by default those of OpenMP (``OMP_NUM_THREADS``, or all cores).

    Raises
    ------
    SkyMapError
        If ligo.skymap is not installed, or a file is unreadable or incomplete.
    """
    f_low = check("f_low", f_low, 1, 2048)
    if threads is not None and not 1 <= threads <= 4096:
        raise SkyMapError("threads", f"{threads} is not from 1 to 4096")
    bayestar, ligolw, detector_disabled, omp = _ligo_skymap()
    name = os.fspath(coinc)
    number, event = _event(ligolw, name, os.fspath(psds) if psds is not None else name)
    if disabled:
        there = {single.detector for single in event.singles}
        for detector in sorted(disabled):
            if detector not in there:
                raise SkyMapError(name, f"there is no detector {detector!r} to disable, only"
                                        f" {', '.join(sorted(there))}")
        if there <= set(disabled):
            raise SkyMapError(name, "no detector is left when all are disabled")
        event = detector_disabled.open({0: event}, disabled)[0]
    with _using(omp, threads), _quiet():
        try:
            table = bayestar.localize(event, f_low=f_low)
        # lal raises RuntimeError, and numpy and ligo.skymap nearly anything on odd values.
        except (ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError,
                ValueError) as e:
            raise SkyMapError(name, f"BAYESTAR cannot use it: {_said(e)}") from e
    return _skymap(table, number, event).validate(name)


def _event(ligolw: Any, name: str, psds: str) -> tuple[int, Any]:
    """Return the only coincidence of a file and its number; all its detectors have noise."""
    for path in {name, psds}:
        try:
            with open(path, "rb"):
                pass
        except OSError as e:
            raise SkyMapError(path, f"cannot be read: {e.strerror}") from e
    with _quiet():
        try:
            found = ligolw.open(name, psd_file=psds)
        except Exception as e:
            # The XML parser, igwn_ligolw and lal raise what they like on damaged files.
            raise SkyMapError(name, f"is no coinc.xml: {_said(e)}") from e
        if len(found) != 1:
            raise SkyMapError(name, f"has {len(found)} coincidences, not one")
        (number, event), = found.items()
        for single in event.singles:
            try:
                noise = single.psd
            except KeyError:
                noise = None
            except Exception as e:
                raise SkyMapError(psds, f"has no noise spectra that can be read: {_said(e)};"
                                        " give a file with them (--psd)") from e
            if noise is None:
                raise SkyMapError(
                    psds, f"has no noise spectrum (PSD) of {single.detector};"
                          " give a file with it (--psd), or disable the detector")
    if not event.singles:
        raise SkyMapError(name, "the coincidence has no triggers")
    return int(number), event


def _skymap(table: Any, number: int, event: Any) -> SkyMap:
    columns: dict[str, Any] = {
        name: np.asarray(table[name.upper()], np.float64)
        for name in ("probdensity", "distmu", "distsigma", "distnorm")}
    detectors = ",".join(sorted(single.detector for single in event.singles))
    meta: dict[str, object] = {
        "OBJECT": f"coinc_event {number}", "INSTRUME": detectors,
        **_times(float(table.meta["gps_time"])), "CREATOR": "BAYESTAR", "VCSVERS": ligo.version()}
    for key in ("distmean", "diststd", "log_bci", "log_bsn"):
        value = table.meta.get(key)
        if value is not None and np.isfinite(value):
            meta[key.upper().replace("_", "")] = float(value)
    return SkyMap(np.asarray(table["UNIQ"], np.int64), **columns, meta=meta)


def _times(gps: float) -> dict[str, object]:
    """Return a time of the Global Positioning System as FITS has it."""
    from ligo.skymap.io import fits

    return {"DATE-OBS": str(fits.gps_to_iso8601(gps)), "MJD-OBS": float(fits.gps_to_mjd(gps))}


def _ligo_skymap() -> tuple[Any, Any, Any, Any]:
    with warnings.catch_warnings():
        # What it imports is full of deprecations that nobody here can mend.
        warnings.simplefilter("ignore")
        try:
            from ligo.skymap import bayestar, omp
            from ligo.skymap.io.events import detector_disabled, ligolw
        except ImportError as e:
            raise SkyMapError("BAYESTAR", EXTRA) from e
    return bayestar, ligolw, detector_disabled, omp


@contextmanager
def _using(omp: Any, threads: int | None) -> Iterator[None]:
    before = omp.num_threads
    if threads is not None:
        omp.num_threads = threads
    try:
        yield
    finally:
        omp.num_threads = before


@contextmanager
def _quiet() -> Iterator[None]:
    """Let ligo.skymap warn only of what matters."""
    log = logging.getLogger("BAYESTAR")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(before)


def _said(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__
