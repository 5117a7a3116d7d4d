"""Meshes: the whole sky in HEALPix cells, small where a distribution needs it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .multiorder import DEEPEST, Floats, Ints, SkyMap, centres, uniq_of

Function = Callable[[Floats], Floats]

FIRST_LEVEL = 3
"""The coarsest cells of a mesh: 768 of them, 7 degrees wide."""


def cell_size(level: int) -> float:
    """Return the width of a cell, rad: the square root of its area."""
    return float(np.sqrt(np.pi / 3) * 0.5**level)


def refine(wanted: Function) -> tuple[Ints, Ints]:
    """Return level and ipix of cells that cover the sky, none wider than wanted.

    Parameters
    ----------
    wanted : callable
        From unit vectors, shape (N, 3), to the widest cell allowed there, rad. It is asked at
        the centres of cells, so it must grow no faster than the distance from where it is
        small.
    """
    ipix = np.arange(12 * 4**FIRST_LEVEL, dtype=np.int64)
    levels, pixels = [], []
    for level in range(FIRST_LEVEL, DEEPEST + 1):
        here = np.full(len(ipix), level, dtype=np.int64)
        split = wanted(centres(here, ipix)) < cell_size(level)
        if level == DEEPEST:
            split[:] = False
        levels.append(here[~split])
        pixels.append(ipix[~split])
        ipix = (4 * ipix[split, np.newaxis] + np.arange(4)).ravel()
        if len(ipix) == 0:
            break
    return np.concatenate(levels), np.concatenate(pixels)


def sample(level: Ints, ipix: Ints, density: Function) -> SkyMap:
    """Return the map of a density, averaged over 16 points of each cell and normalised.

    Parameters
    ----------
    level, ipix : int64, shape (N,)
        The cells.
    density : callable
        From unit vectors, shape (N, 3), to density, in any unit.
    """
    deeper = np.minimum(level + 2, DEEPEST)
    shift = 2 * (deeper - level)
    mean = np.zeros(len(level))
    for k in range(16):
        # At the deepest levels there are fewer than 16 parts; some are counted repeatedly.
        part = (ipix << shift) + (k & ((np.int64(1) << shift) - 1))
        mean += density(centres(deeper, part))
    return normalised(level, ipix, mean)


def normalised(level: Ints, ipix: Ints, density: Floats) -> SkyMap:
    """Return the map of a density, in any unit, made to sum to one."""
    uniq = uniq_of(level, ipix)
    total = float((density * SkyMap(uniq, density).area).sum())
    return SkyMap(uniq, density / total).validate("made map")


def tangent(ra: float, dec: float) -> tuple[Floats, Floats, Floats]:
    """Return unit vectors at a position (degrees): towards it, east, north."""
    a, d = np.radians(ra), np.radians(dec)
    centre = np.array([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)])
    east = np.array([-np.sin(a), np.cos(a), 0.0])
    north = np.array([-np.sin(d) * np.cos(a), -np.sin(d) * np.sin(a), np.cos(d)])
    return centre, east, north


def near(theta: Floats, sigma: float, finest: float) -> Floats:
    """Return the widest cell wanted inside: `finest`, and finer still close to the middle.

    The most probable position is the centre of a cell, and is to be near the one given.
    """
    return np.asarray(np.clip(theta / 2, sigma / 100, finest), np.float64)


def angle(vectors: Floats, centre: Floats) -> Floats:
    """Return angles between unit vectors and one of them, rad, exact for small ones."""
    away = vectors - centre
    chord = np.sqrt(np.einsum("...i,...i", away, away))
    return np.asarray(2 * np.arcsin(np.minimum(chord / 2, 1)), np.float64)
