"""Joint false-alarm rates, counted in independent streams of events: seeded, so never flaky.

Each counts chance coincidences in many years and compares their number with the rate that the
formula gives times the years, within four standard deviations of the count.
"""

import numpy as np
import pytest

from gwbroker.coincidence.far import spatial, targeted, untargeted
from gwbroker.skymap import make
from gwbroker.skymap.overlap import overlap, overlap_at

WINDOW = (-11.0, 1.0)


def stream(rng, rate, seconds):
    """Return the times of a Poisson process, in order."""
    return np.sort(rng.uniform(0, seconds, rng.poisson(rate * seconds)))


def coincident(first, second, window=WINDOW):
    """Return the indices of all pairs with first minus second within a window."""
    low = np.searchsorted(second, first - window[1], side="left")
    high = np.searchsorted(second, first - window[0], side="right")
    count = high - low
    i = np.repeat(np.arange(len(first)), count)
    within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    return i, np.repeat(low, count) + within


def agrees(count, expected):
    """Tell whether a count is what a Poisson process with this mean would give."""
    assert expected > 300
    return abs(count - expected) < 4 * np.sqrt(expected)


def test_pairs_are_found_on_both_sides_of_the_window():
    first, second = np.array([100.0]), np.array([98.9, 99.0, 105.0, 111.0, 111.1])
    i, j = coincident(first, second)
    assert i.tolist() == [0, 0, 0]
    assert j.tolist() == [1, 2, 3]


@pytest.mark.parametrize("far", [3e-4, 1e-3])
def test_the_untargeted_rate_is_how_often_chance_coincides(far):
    rng = np.random.default_rng(1)
    most, rate, seconds = 1e-3, 1e-3, 5e8
    first, second = stream(rng, most, seconds), stream(rng, rate, seconds)
    # The false-alarm rates of false alarms are uniform.
    fars = rng.uniform(0, most, len(first))
    i, _ = coincident(first, second)
    assert agrees((fars[i] <= far).sum(), untargeted(far, rate, WINDOW) * seconds)


@pytest.mark.parametrize("part", [0.02, 0.2, 0.7, 1])
def test_the_targeted_rate_is_how_often_chance_coincides(part):
    rng = np.random.default_rng(2)
    most, seconds = (1e-3, 2e-3), 8e8
    first, second = (stream(rng, rate, seconds) for rate in most)
    fars = [rng.uniform(0, rate, len(times)) for rate, times in
            zip(most, (first, second), strict=True)]
    i, j = coincident(first, second)
    joint = np.array([
        targeted(a, b, WINDOW, *most) for a, b in zip(fars[0][i], fars[1][j], strict=True)])
    # As many are as rare as this one, as it says of itself.
    level = part * targeted(*most, WINDOW, *most)
    assert agrees((joint <= level).sum(), level * seconds)


def test_the_rate_with_a_known_position_is_how_often_chance_coincides():
    rng = np.random.default_rng(3)
    most, rate, seconds = 2e-3, 2e-3, 1e9
    first, second = stream(rng, most, seconds), stream(rng, rate, seconds)
    fars = rng.uniform(0, most, len(first))
    i, j = coincident(first, second)
    ra, dec = isotropic(rng, len(second))
    # All first events have one map; only where the others are is by chance.
    strength = overlap_at(make.cone(77, -5, 40, 0.9), ra, dec)[j]
    joint = np.array([
        spatial(untargeted(far, rate, WINDOW), x) for far, x in zip(fars[i], strength, strict=True)
    ])
    # Below this rate no overlap lifts an event out of the range of the simulated rates.
    level = untargeted(most, rate, WINDOW) / strength.max()
    assert agrees((joint <= level).sum(), level * seconds)


def test_the_overlap_of_maps_at_random_positions_is_one_on_average():
    rng = np.random.default_rng(4)
    fixed = make.cone(200, 50, 30, 0.9)
    found = [overlap(fixed, make.cone(ra, dec, 40, 0.9))
             for ra, dec in zip(*isotropic(rng, 150), strict=True)]
    assert np.mean(found) == pytest.approx(1, abs=4 * np.std(found) / np.sqrt(len(found)))


def isotropic(rng, number):
    """Return positions anywhere on the sky, degrees."""
    return rng.uniform(0, 360, number), np.degrees(np.arcsin(rng.uniform(-1, 1, number)))
