"""``gwbroker skymap flatten``: a map in pixels of one size."""

from __future__ import annotations

import click

from ..options import load_map, map_argument, out_argument


@click.command()
@map_argument
@out_argument
@click.option("--nside", type=int, metavar="N",
              help="HEALPix NSIDE, a power of two; by default that of the smallest cells.")
@click.option("--ring", is_flag=True, help="Order the pixels in rings, instead of NESTED.")
@click.option("--limit", type=float, default=4.0, show_default=True, metavar="GIB",
              help="Refuse a map that would take more memory.")
def flatten(file: str, out: str, nside: int | None, ring: bool, limit: float) -> None:
    """Write the map in FILE to OUT in pixels of one size, as older tools need them.

    OUT is FITS; a name that ends in .gz is compressed.
    """
    from ...errors import SkyMapError
    from ...skymap import flatten as flat
    from ..options import provenance

    if not out.lower().endswith((".fits", ".fits.gz")):
        raise SkyMapError(out, "ends in neither .fits nor .fits.gz; flat maps are FITS")
    if not 0 < limit < float("inf"):
        raise SkyMapError("limit", f"{limit:g} is not a number of GiB, more than 0")
    made = flat.flatten(load_map(file), nside, int(limit * 2**30))
    ordering = "RING" if ring else "NESTED"
    flat.write_flat(made, out, provenance("flatten", file), "RING" if ring else "NESTED")
    click.echo(f"{click.format_filename(out)}: NSIDE {made.nside}, {len(made.prob)} pixels, "
               f"{ordering}")
