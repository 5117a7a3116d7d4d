"""Maps for the tests of sweep, overlap and combine, and flat pixels to compare with."""

import healpy as hp
import numpy as np

from gwbroker.skymap import SkyMap
from gwbroker.skymap.multiorder import DEEPEST, uniq_of


def isotropic(level):
    """Return the map that knows nothing, in cells of one level."""
    ipix = np.arange(12 * 4**level)
    return SkyMap(uniq_of(level, ipix), np.full(len(ipix), 1 / (4 * np.pi))).validate()


def scattered(seed, level=2, depth=6, part=0.15):
    """Return a map with cells of many levels anywhere, and any density in them."""
    rng = np.random.default_rng(seed)
    ipix, uniq = np.arange(12 * 4**level), []
    for here in range(level, depth + 1):
        split = rng.random(len(ipix)) < (part if here < depth else 0)
        uniq.append(uniq_of(here, ipix[~split]))
        ipix = (4 * ipix[split][:, None] + np.arange(4)).ravel()
    uniq = np.concatenate(uniq)
    density = rng.random(len(uniq)) ** 4
    density /= density @ SkyMap(uniq, density).area
    return SkyMap(uniq, density).validate()


def bright_pixel(level, ipix, inside=1.0):
    """Return a map with a given probability in one cell, the rest in as few cells as can be."""
    uniq, density = [uniq_of(level, np.array([ipix]))], [inside]
    for here in range(level, 0, -1):
        first = ipix >> (2 * (level - here)) & ~3
        four = np.arange(first, first + 4)
        uniq.append(uniq_of(here, four[four != ipix >> (2 * (level - here))]))
    base = np.arange(12)
    uniq.append(uniq_of(0, base[base != ipix >> (2 * level)]))
    uniq = np.concatenate(uniq)
    area = SkyMap(uniq, np.ones(len(uniq))).area
    density = np.full(len(uniq), (1 - inside) / area[1:].sum())
    density[0] = inside / area[0]
    return SkyMap(uniq, density).validate()


def pixels(skymap, level, column="probdensity"):
    """Return a column at every pixel of a level, NESTED, by the cell at its centre."""
    first = np.arange(12 * 4**level, dtype=np.int64) << (2 * (DEEPEST - level))
    return getattr(skymap, column)[skymap._find(first)]


def probabilities(skymap, level):
    """Return the probability in every pixel of a level, NESTED, whatever the cells' levels."""
    coarse = skymap.level <= level
    flat = np.where(coarse, skymap.probdensity, 0)[
        skymap._find(np.arange(12 * 4**level) << (2 * (DEEPEST - level)))]
    flat *= hp.nside2pixarea(2**level)
    inside = skymap.start[~coarse] >> (2 * (DEEPEST - level))
    return flat + np.bincount(inside, skymap.prob[~coarse], minlength=len(flat))


def average(values, level):
    """Return flat NESTED pixels averaged into those of a coarser level."""
    return hp.ud_grade(values, 2**level, order_in="NEST", order_out="NEST")
