"""A merger as search pipelines report it: coinc.xml, made with ligo.skymap's own tools."""

from __future__ import annotations

import contextlib
import io
import warnings
from pathlib import Path

RA, DEC, DISTANCE = 197.45, -23.38, 40.0
"""True position (degrees) and distance (Mpc)."""

GPS = 1187008882


def coinc(folder: Path, detectors: tuple[str, ...] = ("H1", "L1", "V1")) -> tuple[Path, Path]:
    """Write ``coinc.xml`` with the noise inside, and ``psd.xml`` with the noise alone.

    Parameters
    ----------
    folder : Path
        Where to.
    detectors : tuple of str
        Which see it, at the sensitivity that they are designed for.
    """
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        return _coinc(folder, detectors)


def _coinc(folder: Path, detectors: tuple[str, ...]) -> tuple[Path, Path]:
    import numpy as np
    from igwn_ligolw import ligolw, lsctables, utils
    from igwn_ligolw.utils import process as processes
    from ligo.skymap.io.events.ligolw import ContentHandler
    from ligo.skymap.tool import bayestar_realize_coincs, bayestar_sample_model_psd

    noise, injected, bare, whole = (
        folder / f"{name}.xml" for name in ("psd", "injection", "bare", "coinc"))
    curves = {"H1": "aLIGOZeroDetHighPower", "L1": "aLIGOZeroDetHighPower", "V1": "AdvVirgo"}
    bayestar_sample_model_psd.main([
        "--df", "1", "--f-max", "1024", "-o", str(noise),
        *(f"--{detector}={curves[detector]}" for detector in detectors)])
    document = ligolw.Document()
    root = document.appendChild(ligolw.LIGO_LW())
    process = processes.register_to_xmldoc(document, "bayestar_inject", {})
    table = root.appendChild(lsctables.SimInspiralTable.new())
    row = table.RowType(**dict.fromkeys(table.validcolumns, 0))
    row.process_id, row.simulation_id = process.process_id, table.get_next_id()
    row.waveform, row.f_lower = "TaylorF2threePointFivePN", 30.0
    row.mass1, row.mass2 = 1.5, 1.3
    row.longitude, row.latitude = np.radians(RA), np.radians(DEC)
    row.distance, row.inclination, row.polarization = DISTANCE, np.radians(30), 0.3
    row.time_geocent = GPS
    table.append(row)
    utils.write_filename(document, str(injected))
    bayestar_realize_coincs.main([
        str(injected), "-o", str(bare), "--reference-psd", str(noise), "--seed", "150914",
        "--measurement-error", "gaussian-noise", "--f-high", "256",
        "--detector", *detectors])
    # A pipeline puts the spectra into the file itself.
    made = utils.load_filename(str(bare), contenthandler=ContentHandler)
    spectra = utils.load_filename(str(noise), contenthandler=ContentHandler)
    for element in list(spectra.childNodes[0].childNodes):
        if element.tagName == ligolw.LIGO_LW.tagName:
            made.childNodes[0].appendChild(element)
    utils.write_filename(made, str(whole))
    return whole, noise
