"""Schedule: which field is taken next, by what it gains for the time it costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from ..errors import SkyMapError
from ..skymap.bounds import check
from ..skymap.multiorder import Floats
from .night import LONGEST, Window
from .spells import Spells
from .telescopes import Telescope
from .times import DAY

URGENCIES = (0.0, 0.5, 1.0, 2.0, 4.0)
"""How strongly a field that sets soon is preferred; all are tried, and the best plan is kept."""

WORTH = 0.01
"""A field that adds less than this fraction of the best one's probability is not taken."""


@dataclass(frozen=True)
class Visits:
    """How often each field is taken.

    Parameters
    ----------
    number : int
        Exposures of each field.
    gap : float
        Least time from the end of one to the start of the next of the same field, s.
    filters : tuple of str
        Of the first visit, the second... and from the first again.

    Raises
    ------
    SkyMapError
        Naming what is out of bounds, and its value.
    """

    number: int = 1
    gap: float = 0.0
    filters: tuple[str, ...] = ("",)

    def __post_init__(self) -> None:
        check("visits", self.number, 1, 100)
        check("gap", self.gap, 0, LONGEST * DAY)
        if not self.filters:
            raise SkyMapError("filters", "are none; leave them out or name one")

    def filter(self, visit: int) -> str:
        """Return the filter of a visit, counted from 0."""
        return self.filters[visit % len(self.filters)]


@dataclass(frozen=True)
class Taken:
    """One exposure: the field's number, the visit from 0, seconds since 1970 UTC."""

    field: int
    visit: int
    start: float
    end: float


@dataclass(frozen=True, eq=False)
class Scene:
    """What there is to be scheduled.

    Parameters
    ----------
    telescope : Telescope
        For its times.
    window : Window
        In which all exposures lie.
    vectors : float64, shape (N, 3)
        Centres of the fields.
    held : csr_array, shape (N, M)
        Which pieces of the sky each field holds.
    prob : float64, shape (M,)
        Probability of the pieces.
    spells : Spells
        When each field may be observed, each at least as long as an exposure.
    visits : Visits
        How often.
    """

    telescope: Telescope
    window: Window
    vectors: Floats
    held: csr_array
    prob: Floats
    spells: Spells
    visits: Visits


def best(scene: Scene) -> list[Taken]:
    """Return the best of the schedules with several urgencies; the first of equal ones."""
    most, found = -1.0, list[Taken]()
    everything = _gain(scene, [Taken(f, v, 0, 0) for f in np.unique(scene.spells.field).tolist()
                               for v in range(scene.visits.number)])
    for urgency in URGENCIES:
        plan = greedy(scene, urgency)
        gain = _gain(scene, plan)
        if gain > most + 1e-12:
            most, found = gain, plan
        # More preference for what sets can only help if something was left out.
        if most > everything - WORTH:
            break
    return found


def greedy(scene: Scene, urgency: float) -> list[Taken]:
    """Return the exposures, one after the other, each the best at its time.

    The score of a field is (new probability) (T / S)^urgency / (time until the exposure ends),
    where S is the time until it sets (or the window ends), T that until the window ends, and the
    time counts slew or readout, overhead, waiting for the field to rise, and exposure. An exposure
    lies within one spell, from its beginning to its end.
    """
    t, telescope, window, spells = scene.window.start, scene.telescope, scene.window, scene.spells
    value = scene.held @ scene.prob
    least = WORTH * float(value.max(initial=0.0))
    by_piece = scene.held.T.tocsr()
    left, own = scene.prob.copy(), value.copy()
    visit, ready = np.zeros(len(value), np.int64), np.full(len(value), -np.inf)
    last_end = np.full(len(value), -np.inf)
    np.maximum.at(last_end, spells.field, spells.end)
    taken: list[Taken] = []
    while len(spells.field):
        wait = _between(scene, taken, visit)
        # Whole seconds, so that what is written is what was checked.
        begin = np.ceil(np.maximum(np.maximum(t + wait, ready)[spells.field], spells.start))
        end = begin + telescope.exposure
        worth = np.where(visit == 0, value, own)
        fits = (end <= spells.end) & (visit < scene.visits.number)[spells.field] & (
            worth > max(least, 0.0))[spells.field]
        if not fits.any():
            break
        ahead = max(window.end - t, 1.0)
        sets = np.maximum(last_end[spells.field] - t, telescope.exposure)
        score = np.where(fits, worth[spells.field] * (ahead / sets) ** urgency / (end - t), -1.0)
        row = int(np.argmax(score))
        field = int(spells.field[row])
        taken.append(Taken(field, int(visit[field]), float(begin[row]), float(end[row])))
        if visit[field] == 0:
            own[field] = value[field]
            new = scene.held.indices[scene.held.indptr[field]:scene.held.indptr[field + 1]]
            new = new[left[new] > 0]
            lost = by_piece[new]
            np.subtract.at(value, lost.indices, np.repeat(left[new], np.diff(lost.indptr)))
            left[new] = 0.0
        visit[field] += 1
        t = float(end[row])
        ready[field] = t + scene.visits.gap
    return taken


def _between(scene: Scene, taken: list[Taken], visit: np.typing.NDArray[np.int64]) -> Floats:
    """Return the seconds from the end of the last exposure to the next one of each field."""
    telescope = scene.telescope
    if not taken:
        # Where the telescope points before is not known; it has been told in time.
        return np.zeros(len(scene.vectors))
    last = taken[-1]
    chord = np.linalg.norm(scene.vectors - scene.vectors[last.field], axis=1)
    angle = np.degrees(2 * np.arcsin(np.minimum(chord / 2, 1)))
    move = np.where(angle > 0, angle / telescope.slew + telescope.settle, 0.0)
    wait = np.maximum(move, telescope.readout) + telescope.overhead
    if len(scene.visits.filters) > 1:
        names = np.array([scene.visits.filter(v) for v in range(scene.visits.number + 1)])
        changed = names[visit] != scene.visits.filter(last.visit)
        wait = np.where(changed, np.maximum(wait, telescope.filter_change), wait)
    return np.asarray(wait, np.float64)


def _gain(scene: Scene, plan: list[Taken]) -> float:
    """Return the probability covered, with that of each further visit of a field."""
    fields = np.array([each.field for each in plan if each.visit == 0], np.int64)
    if len(fields) == 0:
        return 0.0
    covered = float(scene.prob[np.asarray(scene.held[fields].sum(axis=0)) > 0].sum())
    again = [each.field for each in plan if each.visit > 0]
    whole = scene.held @ scene.prob
    return covered + 1e-3 * float(whole[again].sum()) if again else covered
