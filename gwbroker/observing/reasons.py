"""Reasons: why fields are not in a plan."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..skymap.multiorder import Floats, Ints
from .horizon import Horizon
from .night import Window
from .schedule import Scene
from .spells import STEP, Spells

SET = "they set before their turn"
NO_TIME = "no time was left"
BRIEF = "they are not observable for a whole exposure"


def reasons(scene: Scene, every: Spells, chosen: Ints) -> list[str]:
    """Return why each of some fields was not taken, by number in the scene.

    Parameters
    ----------
    scene : Scene
        Its spells are those that are long enough for an exposure.
    every : Spells
        All of them.
    chosen : int64, shape (N,)
        The fields.
    """
    last = np.full(len(scene.vectors), -np.inf)
    np.maximum.at(last, scene.spells.field, scene.spells.end)
    brief = np.isin(chosen, every.field)
    hidden = _hidden(scene, scene.vectors[chosen[~brief & np.isneginf(last[chosen])]])
    found = []
    for field, is_brief in zip(chosen, brief, strict=True):
        if not np.isneginf(last[field]):
            early = last[field] < scene.window.end - 2 * STEP
            found.append(SET if early else NO_TIME)
        else:
            found.append(BRIEF if is_brief else next(hidden))
    return found


def _hidden(scene: Scene, vectors: Floats) -> Iterator[str]:
    """Yield for each direction which limit hides it, of those that are never allowed."""
    window: Window = scene.window
    limits, site = scene.telescope.limits, scene.telescope.site
    assert site is not None
    number = max(2, min(100, int((window.end - window.start) / 600) + 2))
    horizon = Horizon(site, np.linspace(window.start, window.end, number))
    dark = limits.dark(horizon)[:, np.newaxis]
    ever = {name: np.asarray((kept & dark).any(axis=0), np.bool_)
            for name, kept in limits.each(horizon, vectors).items()}
    for column in range(len(vectors)):
        alone = [name for name, seen in ever.items() if not seen[column]]
        yield f"hidden by the limit of {alone[0] if alone else ' and '.join(ever)}"
