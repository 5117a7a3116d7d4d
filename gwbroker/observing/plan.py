"""plan(): which fields a telescope should take of a sky map, and when."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np

from ..errors import SkyMapError
from ..skymap.multiorder import SkyMap
from .coverage import coverage
from .fields import Fields
from .grid import covering
from .horizon import Horizon
from .night import Window, window
from .pieces import Pieces, healpix_level, region
from .planned import Exposure, LeftOut, Plan
from .reasons import reasons
from .schedule import WORTH, Scene, Taken, Visits, best
from .single import best_pointing
from .spells import Spells, spells
from .telescopes import Telescope
from .times import iso, seconds

BUDGET = 400_000
"""Most pieces of the sky that fields are chosen by."""


def plan(
    skymap: SkyMap,
    telescope: Telescope,
    start: datetime | str | float | None = None,
    *,
    end: datetime | str | float | None = None,
    hours: float | None = None,
    fields: Fields | None = None,
    level: float = 0.9,
    visits: Visits | None = None,
) -> Plan:
    """Return which fields a telescope should take, and when.

    If one pointing holds the level, it is the plan. Otherwise the region is covered by fields in
    bands of declination, and they are taken one after the other: always the one that gains most
    for the time it costs, slew and wait included, sooner if it sets. Every exposure is within the
    limits from its beginning to its end. The same input gives the same plan.

    Parameters
    ----------
    skymap : SkyMap
        The map.
    telescope : Telescope
        With a site.
    start : datetime, str or float, optional
        From when, with its zone; now if absent. Observing begins when it is dark.
    end : datetime, str or float, optional
        Until when; or
    hours : float, optional
        for how long. Without both: the rest of this night, or the next one within a day.
    fields : Fields, optional
        The only pointings allowed.
    level : float
        Credible level of the region to cover.
    visits : Visits, optional
        How often, with which gap and filters.

    Raises
    ------
    SkyMapError
        If the telescope has no site, a time has no zone or the end is not after the start.
    """
    if telescope.site is None:
        raise SkyMapError("site", f"it is not known where {telescope.name} stands; give a site")
    began = seconds(start, "start")
    if end is not None:
        if hours is not None:
            raise SkyMapError("hours", "were given, and an end as well; give one of them")
        until = seconds(end, "end")
        if until <= began:
            raise SkyMapError("end", f"{iso(until)} is not after the start, {iso(began)}")
        hours = (until - began) / 3600
    night = window(telescope.site, began, hours, telescope.limits)
    whole = region(skymap, level)
    empty = Plan(telescope, str(skymap.meta.get("OBJECT", "")), iso(night.start), iso(night.end),
                 night.dark / 3600, float(level))
    if night.reason:
        return replace(empty, reason=night.reason)
    one = None if fields is not None else best_pointing(skymap, telescope, level)
    if one is not None:
        alone = _planned(empty, skymap, night, one, whole, visits)
        if alone.exposures:
            return replace(alone, single=True)
    if fields is None:
        fields = covering(telescope, _look(whole, telescope, night)[0].vectors)
    return _planned(empty, skymap, night, fields, whole, visits)


def _look(whole: Pieces, telescope: Telescope, night: Window) -> tuple[Pieces, float]:
    """Return the region in pieces small against a field, and which part of it that is.

    If that were too many, only what can be seen is kept, and of it the densest.
    """
    deepest = healpix_level(telescope.narrowest / 16)
    coarsest = healpix_level(telescope.narrowest / 6)
    pieces = whole.merge(deepest + 1)
    while deepest > coarsest and pieces.parts(deepest).sum() > BUDGET:
        deepest -= 1
    pieces = pieces.merge(deepest + 1)
    if pieces.parts(deepest).sum() > BUDGET:
        assert telescope.site is not None
        total = pieces.prob.sum()
        pieces = pieces.split(min(6, deepest))
        times = np.arange(night.start, night.end + 1, 1200.0)
        horizon = Horizon(telescope.site, times)
        seen = telescope.limits.allow(horizon, pieces.vectors).any(axis=0)
        pieces = pieces.take(np.asarray(seen, np.bool_))
        order = np.argsort(-pieces.prob / pieces.area, kind="stable")
        keep = np.cumsum(pieces.parts(deepest)[order]) <= BUDGET
        pieces = pieces.take(order[keep])
        return pieces.split(deepest), float(pieces.prob.sum() / total)
    return pieces.split(deepest), 1.0


def _planned(empty: Plan, skymap: SkyMap, night: Window, fields: Fields, whole: Pieces,
             visits: Visits | None) -> Plan:
    telescope = empty.telescope
    assert telescope.site is not None
    visits = visits or Visits()
    pieces, part = _look(whole, telescope, night)
    every = spells(telescope.site, telescope.limits, night, fields.vectors)
    scene = Scene(telescope, night, fields.vectors, fields.hold(telescope, pieces.vectors),
                  pieces.prob, every.at_least(telescope.exposure), visits)
    taken = best(scene)
    notes = () if part == 1 else (
        f"the region is large for this field of view: the densest {100 * part:.0f} % of it that"
        " can be seen was considered",)
    left_out = _left_out(scene, fields, taken, every)
    exposures = _exposures(scene, skymap, fields, taken)
    return replace(empty, exposures=exposures, left_out=left_out, notes=notes,
                   covered=exposures[-1].cumulative if exposures else 0.0,
                   reason="" if exposures else _why(left_out, pieces))


def _exposures(scene: Scene, skymap: SkyMap, fields: Fields, taken: list[Taken]) -> (
        tuple[Exposure, ...]):
    telescope = scene.telescope
    assert telescope.site is not None
    first = [each for each in taken if each.visit == 0]
    numbers = np.array([each.field for each in taken], np.int64)
    unique = np.array([each.field for each in first], np.int64)
    held, new = coverage(skymap, telescope, fields.take(unique))
    there = scene.vectors[numbers]
    at_start, at_end = (Horizon(telescope.site, [getattr(t, which) for t in taken], paired=True)
                        for which in ("start", "end"))
    moon = np.minimum(at_start.moon_distance(there), at_end.moon_distance(there))
    airmass = np.stack([1 / at_start.sine(there), 1 / at_end.sine(there)], axis=1).tolist()
    by_field = dict(zip(unique.tolist(), zip(held.tolist(), new.tolist(), strict=True),
                        strict=True))
    exposures, total = [], 0.0
    for row, each in enumerate(taken):
        probability, gained = by_field[each.field]
        gained = gained if each.visit == 0 else 0.0
        total += gained
        exposures.append(Exposure(
            row + 1, fields.names[each.field], float(fields.ra[each.field]),
            float(fields.dec[each.field]), iso(each.start), iso(each.end), telescope.exposure,
            scene.visits.filter(each.visit), each.visit + 1,
            airmass[row][0], airmass[row][1], float(moon[row]), probability, gained,
            min(total, 1.0)))
    return tuple(exposures)


def _left_out(scene: Scene, fields: Fields, taken: list[Taken], every: Spells) -> (
        tuple[LeftOut, ...]):
    """Return the fields that would have added something, most first."""
    value = scene.held @ scene.prob
    left = scene.prob.copy()
    done = np.unique(np.array([each.field for each in taken], np.int64))
    left[np.asarray(scene.held[done].sum(axis=0)).ravel() > 0] = 0.0
    value, least = scene.held @ left, WORTH * float(value.max(initial=0.0))
    chosen = np.flatnonzero(value > least)
    chosen = chosen[np.argsort(-value[chosen], kind="stable")]
    chosen = chosen[~np.isin(chosen, done)]
    why = reasons(scene, every, chosen)
    return tuple(LeftOut(fields.names[f], float(fields.ra[f]), float(fields.dec[f]),
                         float(value[f]), reason)
                 for f, reason in zip(chosen.tolist(), why, strict=True))


def _why(left_out: tuple[LeftOut, ...], pieces: Pieces) -> str:
    if len(pieces) == 0:
        return "no part of the region is within the limits while it is dark"
    if not left_out:
        return "no field holds any of the region"
    reasons_ = dict.fromkeys(each.reason for each in left_out)
    return f"no field can be observed: {'; '.join(reasons_)}"
