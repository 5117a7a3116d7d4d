"""Schedule: held against every possible order."""

from __future__ import annotations

from itertools import pairwise, permutations
from math import ceil

import numpy as np
import pytest
from scipy.sparse import csr_array

from gwbroker.observing import Telescope
from gwbroker.observing.horizon import unit
from gwbroker.observing.night import Window
from gwbroker.observing.schedule import Scene, Visits, best, greedy
from gwbroker.observing.spells import Spells

TELESCOPE = Telescope("t", 5, 5, exposure=300, readout=10, slew=0.5, settle=5, filter_change=60)
FACTOR = 1 - 1 / np.e
"""What greedy choices of a submodular gain are known to reach when nothing sets."""


def scene(seed: int, number: int = 6, visits: Visits | None = None) -> Scene:
    """Return a random scene with too little time for all of its overlapping fields."""
    rng = np.random.default_rng(seed)
    held = csr_array((rng.random((number, 30)) < 0.25).astype(float))
    prob = rng.dirichlet(np.full(30, 0.5))
    start = rng.uniform(0, 1200, number)
    end = start + rng.uniform(300, 2000, number)
    window = Window(0.0, 2000.0, 2000.0)
    vectors = unit(rng.uniform(100, 160, number), rng.uniform(-20, 40, number))
    spells = Spells(np.arange(number), start, np.minimum(end, window.end)).at_least(300)
    return Scene(TELESCOPE, window, vectors, held, prob, spells, visits or Visits())


def between(there: Scene, a: int | None, b: int) -> float:
    """Return the time from one exposure to the next, written out plainly."""
    if a is None or a == b:
        return 0.0 if a is None else TELESCOPE.readout
    angle = np.degrees(np.arccos(np.clip(there.vectors[a] @ there.vectors[b], -1, 1)))
    return max(angle / TELESCOPE.slew + TELESCOPE.settle, TELESCOPE.readout)


def covered(there: Scene, fields: list[int]) -> float:
    """Return the probability in some fields, counted once."""
    inside = np.asarray(there.held[sorted(fields)].sum(axis=0)) > 0
    return float(there.prob[inside].sum())


def optimum(there: Scene) -> float:
    """Return the most that any order of the fields covers, each taken as soon as it can be."""
    spell = {int(f): (a, b) for f, a, b in zip(
        there.spells.field, there.spells.start, there.spells.end, strict=True)}
    found = set()
    way = [[between(there, a, b) for b in range(len(there.vectors))]
           for a in range(len(there.vectors))]
    for order in permutations(spell):
        t, last, done = 0.0, None, []
        for field in order:
            wait = 0.0 if last is None else way[last][field]
            begin = ceil(max(t + wait, spell[field][0]))
            if begin + TELESCOPE.exposure > spell[field][1]:
                continue
            t, last = begin + TELESCOPE.exposure, field
            done.append(field)
        found.add(frozenset(done))
    return max(covered(there, list(fields)) for fields in found) if spell else 0.0


def test_the_schedule_covers_nearly_what_the_best_of_all_orders_does() -> None:
    ratios = []
    for seed in range(25):
        there = scene(seed)
        reached = covered(there, [each.field for each in best(there)])
        ratios.append(reached / optimum(there) if optimum(there) else 1.0)
    assert min(ratios) >= FACTOR
    assert np.mean(ratios) > 0.95
    assert max(ratios) <= 1 + 1e-12


@pytest.mark.parametrize("seed", range(20))
def test_every_exposure_fits_its_spell_and_the_way_to_it(seed: int) -> None:
    there = scene(seed, 30)
    plan = best(there)
    assert plan
    spell = {int(f): (a, b) for f, a, b in zip(
        there.spells.field, there.spells.start, there.spells.end, strict=True)}
    for each in plan:
        assert spell[each.field][0] <= each.start
        assert each.end <= spell[each.field][1]
        assert each.end - each.start == TELESCOPE.exposure
    for one, next_ in pairwise(plan):
        assert next_.start - one.end >= between(there, one.field, next_.field) - 1e-6
    assert len({each.field for each in plan}) == len(plan)


def test_a_field_that_sets_is_taken_before_one_that_stays() -> None:
    vectors = unit([10.0, 12.0], [0.0, 0.0])
    spells = Spells(np.array([0, 1]), np.array([0.0, 0.0]), np.array([2000.0, 400.0]))
    there = Scene(TELESCOPE, Window(0, 2000, 2000), vectors, csr_array(np.eye(2)),
                  np.array([0.6, 0.4]), spells, Visits())
    assert [each.field for each in greedy(there, 0.0)] == [0]
    assert [each.field for each in best(there)] == [1, 0]


def test_a_field_that_rises_is_waited_for() -> None:
    spells = Spells(np.array([0]), np.array([1000.4]), np.array([2000.0]))
    there = Scene(TELESCOPE, Window(0, 2000, 2000), unit([10.0], [0.0]), csr_array(np.eye(1)),
                  np.array([1.0]), spells, Visits())
    (taken,) = best(there)
    assert taken.start == 1001.0


def test_a_field_may_have_two_spells_and_an_exposure_is_in_one_of_them() -> None:
    spells = Spells(np.array([0, 0]), np.array([0.0, 500.0]), np.array([299.0, 900.0]))
    there = Scene(TELESCOPE, Window(0, 2000, 2000), unit([10.0], [0.0]), csr_array(np.eye(1)),
                  np.array([1.0]), spells.at_least(300), Visits())
    (taken,) = best(there)
    assert taken.start == 500


def test_a_field_that_adds_nothing_is_left() -> None:
    held = csr_array(np.array([[1.0, 1.0], [1.0, 0.0]]))
    spells = Spells(np.arange(2), np.zeros(2), np.full(2, 2000.0))
    there = Scene(TELESCOPE, Window(0, 2000, 2000), unit([10.0, 11.0], [0.0, 0.0]), held,
                  np.array([0.5, 0.5]), spells, Visits())
    assert [each.field for each in best(there)] == [0]


def test_visits_keep_their_gap_and_change_the_filter() -> None:
    spells = Spells(np.arange(2), np.zeros(2), np.full(2, 9000.0))
    there = Scene(TELESCOPE, Window(0, 9000, 9000), unit([10.0, 11.0], [0.0, 0.0]),
                  csr_array(np.eye(2)), np.array([0.6, 0.4]), spells,
                  Visits(3, 1800, ("g", "r")))
    plan = best(there)
    assert len(plan) == 6
    for field in (0, 1):
        own = [each for each in plan if each.field == field]
        assert [each.visit for each in own] == [0, 1, 2]
        assert all(b.start - a.end >= 1800 for a, b in pairwise(own))
    for one, next_ in pairwise(plan):
        if there.visits.filter(one.visit) != there.visits.filter(next_.visit):
            assert next_.start - one.end >= TELESCOPE.filter_change
    assert [there.visits.filter(v) for v in range(3)] == ["g", "r", "g"]


def test_the_same_scene_has_the_same_schedule() -> None:
    assert best(scene(3, 30)) == best(scene(3, 30))


def test_nothing_observable_makes_an_empty_schedule() -> None:
    there = Scene(TELESCOPE, Window(0, 1, 1), unit([1.0], [1.0]), csr_array(np.eye(1)),
                  np.array([1.0]), Spells(np.empty(0, int), np.empty(0), np.empty(0)), Visits())
    assert best(there) == []
