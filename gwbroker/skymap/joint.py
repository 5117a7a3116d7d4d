"""Joint distances: what two measurements of one distance say together."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from . import ansatz
from .distances import known, norms
from .multiorder import Floats


class Joint(NamedTuple):
    """What two measurements of one distance say together, in each cell.

    Parameters
    ----------
    mu, sigma, norm : float64, shape (N,)
        The ansatz of the joint distance: Mpc, Mpc, Mpc^-2.
    log_weight : float64, shape (N,)
        Logarithm of the integral of p_a p_b / r^2 dr, the cell's agreement in distance; its
        unit, Mpc^-3, is that of the prior and the same in all cells. Not a number where not
        both distances are known.
    """

    mu: Floats
    sigma: Floats
    norm: Floats
    log_weight: Floats


def joint(mu_a: Floats, sigma_a: Floats, mu_b: Floats, sigma_b: Floats) -> Joint:
    """Return the joint distance of two measurements that used the same prior, r^2.

    Posteriors with one prior combine as p_a(r) p_b(r) / prior(r). The ansatz of Singer et al.
    (2016), ApJL 829, L15, equation 1, is the prior r^2 times a Gaussian, so the product is
    again one: 1 / sigma^2 = 1 / sigma_a^2 + 1 / sigma_b^2, mu = sigma^2 (mu_a / sigma_a^2 +
    mu_b / sigma_b^2), and its integral is N_a N_b g / N, where g is the normal density of
    mu_a - mu_b with variance sigma_a^2 + sigma_b^2.

    Where only one distance is known it stays as it is.

    Parameters
    ----------
    mu_a, sigma_a, mu_b, sigma_b : float64, shape (N,)
        Parameters of both, Mpc.
    """
    has_a, has_b = known(mu_a, sigma_a), known(mu_b, sigma_b)
    both = has_a & has_b
    mu = np.where(has_a, mu_a, np.where(has_b, mu_b, np.inf))
    sigma = np.where(has_a, sigma_a, np.where(has_b, sigma_b, 1.0))
    log_weight = np.full(mu.shape, np.nan)
    ma, sa, mb, sb = mu_a[both], sigma_a[both], mu_b[both], sigma_b[both]
    s = np.hypot(sa, sb)
    # In this form nothing is squared that may be too large or too small.
    sigma[both] = sa * (sb / s)
    mu[both] = ma * (sb / s) ** 2 + mb * (sa / s) ** 2
    gauss = -0.5 * ((ma - mb) / s) ** 2 - np.log(s * np.sqrt(2 * np.pi))
    log_weight[both] = (
        _log_norm(ma, sa) + _log_norm(mb, sb) - _log_norm(mu[both], sigma[both]) + gauss
    )
    return Joint(mu, sigma, norms(mu, sigma), log_weight)


def _log_norm(mu: Floats, sigma: Floats) -> Floats:
    """Return ln N, where 1 / N is the integral of r^2 times the Gaussian."""
    found: Floats = -2 * np.log(sigma) - ansatz.log_weight(mu / sigma)
    return found
