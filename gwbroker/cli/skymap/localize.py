"""``gwbroker skymap localize``: make a sky map."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..options import RA, as_shell, digest, provenance

if TYPE_CHECKING:
    from ...skymap.multiorder import SkyMap

KINDS = {
    "--coinc": "coinc", "--samples": "samples", "--corner": "corner", "--gbm": "gbm",
    "--annulus": "annulus", "--semi-major": "semi_major",
}
"""The option that says what kind of map is meant, and its parameter; without any: a cone."""

NEEDS = {
    "--gbm": ("ra", "dec", "radius"), "--annulus": ("ra", "dec", "radius"),
    "--semi-major": ("ra", "dec", "semi_minor", "position_angle"),
    "--radius": ("ra", "dec", "radius"), "--coinc": (), "--samples": (), "--corner": (),
}
PLACES = ("ra", "dec", "radius", "containment")
"""Options of several kinds, each of which takes some."""

TAKES = {
    "--gbm": PLACES, "--annulus": PLACES, "--radius": PLACES,
    "--semi-major": ("ra", "dec", "containment"), "--corner": ("containment",),
    "--coinc": (), "--samples": (),
}
GBM = ("flight", "ground", "final", "roboba", "roboba-long", "roboba-short")
"""The keys of `gwbroker.skymap.gbm.SYSTEMATICS`, which takes long to import."""

ONLY = {
    "semi_minor": "--semi-major", "position_angle": "--semi-major", "psd": "--coinc",
    "f_low": "--coinc", "disable": "--coinc", "unit": "--samples", "maxpts": "--samples",
    "seed": "--samples",
}
FILES = ("coinc", "psd", "samples")
CONTAINMENT = {"--gbm": 0.68, "--annulus": 0.9973}

EPILOG = """\b
Examples:
  gwbroker skymap localize --ra 197.45 --dec -23.38 --radius 2 map.fits
  gwbroker skymap localize --ra 10 --dec 20 --radius 3 --gbm final map.fits
  gwbroker skymap localize --coinc coinc.xml map.fits
"""


@click.command(epilog=EPILOG)
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--ra", type=RA, metavar="DEG", help="Right ascension.")
@click.option("--dec", type=float, metavar="DEG", help="Declination.")
@click.option("--radius", type=float, metavar="DEG", help="Error radius; of a ring, its radius.")
@click.option("--containment", type=float, metavar="P",
              help="Probability that the region holds [default: 0.9; --gbm 0.68; --annulus "
                   "0.9973].")
@click.option("--semi-major", type=float, metavar="DEG", help="An ellipse, with --semi-minor.")
@click.option("--semi-minor", type=float, metavar="DEG", help="Its other semi-axis.")
@click.option("--position-angle", type=float, metavar="DEG",
              help="Of its major axis, from north to east.")
@click.option("--annulus", type=float, metavar="DEG",
              help="A ring about --ra, --dec: half of its width.")
@click.option("--corner", type=(RA, float), multiple=True, metavar="RA DEC",
              help="A corner of a polygon, degrees; give three or more.")
@click.option("--gbm", type=click.Choice(GBM),
              help="A position of Fermi GBM, with the systematic errors of who located it.")
@click.option("--samples", metavar="FILE", help="Posterior samples: HDF5, ECSV, CSV or text.")
@click.option("--unit", type=click.Choice(["rad", "deg"]),
              help="Of the samples, if the file does not say [default: rad].")
@click.option("--maxpts", type=click.IntRange(min=100), metavar="N",
              help="Most samples to use [default: 5000].")
@click.option("--seed", type=click.IntRange(min=0), metavar="N",
              help="Of the samples' clustering [default: 150914].")
@click.option("--coinc", metavar="FILE", help="A coinc.xml: BAYESTAR localizes it.")
@click.option("--psd", metavar="FILE", help="Its noise spectra, if they are not inside.")
@click.option("--f-low", type=float, metavar="HZ",
              help="Lowest frequency of the template [default: 15].")
@click.option("--disable", multiple=True, metavar="H1",
              help="Leave out a detector; may be repeated.")
@click.option("--threads", type=click.IntRange(min=1), metavar="N",
              help="For --coinc and --samples [default: all cores].")
@click.option("--earth", type=(RA, float, float), metavar="RA DEC RADIUS",
              help="Leave nothing behind the Earth, as the spacecraft sees it, degrees.")
def localize(out: Path, **options: Any) -> None:
    """Make a sky map and write it to OUT: .fits, .fits.gz, .parquet or .json."""
    from ...skymap import files
    from ...skymap.occultation import occult
    from ...skymap.regions import credible_areas

    kind = _kind(options)
    if options["containment"] is None:
        options["containment"] = CONTAINMENT.get(kind, 0.9)
    skymap = _made(kind, options)
    if options["earth"]:
        skymap = occult(skymap, *options["earth"])
    files.save(skymap, out, _provenance(kind, options))
    area = float(credible_areas(skymap, 0.9))
    click.echo(f"{out}: {skymap.cells} cells, 90 % within {area:.4g} deg2")


def _kind(options: Mapping[str, Any]) -> str:
    """Return which kind is meant; refuse two, missing options, and those of other kinds."""
    meant = [option for option, name in KINDS.items() if options[name] not in (None, ())]
    if len(meant) > 1:
        raise click.UsageError(f"{' and '.join(meant)} are different kinds of maps; give one")
    kind = meant[0] if meant else "--radius"
    for name, of in ONLY.items():
        if options[name] not in (None, ()) and of != kind:
            raise click.UsageError(f"{_option(name)} is only for {of}")
    for name in PLACES:
        if options[name] is not None and name not in TAKES[kind]:
            raise click.UsageError(f"{_option(name)} is not for {kind}")
    missing = [_option(name) for name in NEEDS[kind] if options[name] is None]
    if missing:
        what = "a position with an error radius" if kind == "--radius" else kind
        raise click.UsageError(f"{what} also needs {', '.join(missing)}")
    return kind


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _made(kind: str, o: Mapping[str, Any]) -> SkyMap:
    from ...skymap import make

    place, containment = (o["ra"], o["dec"]), o["containment"]
    if kind == "--coinc":
        from ...skymap import bayestar

        return bayestar.localize(
            o["coinc"], o["psd"], f_low=bayestar.F_LOW if o["f_low"] is None else o["f_low"],
            disabled=o["disable"], threads=_threads(o))
    if kind == "--samples":
        from ...skymap import sample_files, samples

        read = sample_files.read(o["samples"], o["unit"])
        return samples.from_samples(
            read.ra, read.dec, read.distance, maxpts=o["maxpts"] or samples.MAXPTS,
            seed=samples.SEED if o["seed"] is None else o["seed"], threads=_threads(o),
            name=o["samples"])
    if kind == "--corner":
        return make.polygon(o["corner"], containment)
    if kind == "--gbm":
        return make.gbm(*place, o["radius"], containment, o["gbm"])
    if kind == "--annulus":
        return _annulus(*place, o["radius"], o["annulus"], containment)
    if kind == "--semi-major":
        return make.ellipse(
            *place, o["semi_major"], o["semi_minor"], o["position_angle"], containment)
    return make.cone(*place, o["radius"], containment)


def _annulus(*values: float) -> SkyMap:
    from ...errors import SkyMapError
    from ...skymap import make

    try:
        return make.annulus(*values)
    except SkyMapError as e:
        # What is a width in Python is called by its option here.
        raise SkyMapError("--annulus" if e.source == "width" else e.source, e.problem) from None


def _threads(options: Mapping[str, Any]) -> int:
    from ...process import cores

    return int(options["threads"] or cores())


def _provenance(kind: str, options: Mapping[str, Any]) -> dict[str, str]:
    """Return what was asked for, so that it can be asked for again."""
    used = {name: value for name, value in options.items()
            if value not in (None, ()) and name != "threads"}
    if kind in ("--coinc", "--samples"):
        used.pop("containment")
    for name in FILES:
        if options[name]:
            used[name] = Path(options[name]).name
    said = " ".join(as_shell(_option(name), value) for name, value in used.items())
    found = {"localization": said, **provenance("localize", version=_version(kind))}
    for name in FILES:
        if options[name]:
            found[f"sha256 of {name}"] = digest(options[name])
    return found


def _version(kind: str) -> str:
    """Return the version of what computes maps of a kind, if that is not us."""
    from ...skymap.ligo import version

    return version() if kind in ("--coinc", "--samples") else ""
