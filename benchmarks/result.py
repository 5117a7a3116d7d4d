"""Result: one measured number, its peer's, and whether it keeps its bound."""

from __future__ import annotations

import operator
from dataclasses import asdict, dataclass
from typing import Any, Literal

_COMPARE = {"<=": operator.le, ">=": operator.ge}


@dataclass(frozen=True)
class Bound:
    """What a number must not pass.

    Parameters
    ----------
    of : {"ratio", "value"}
        Whether the ratio to the peer is bounded, or the number itself.
    sense : {"<=", ">="}
        On which side of the limit it has to be.
    limit : float
        In the unit of the number; a ratio has none.
    """

    of: Literal["ratio", "value"]
    sense: Literal["<=", ">="]
    limit: float


@dataclass(frozen=True)
class Result:
    """One measured number.

    Parameters
    ----------
    question : str
        Name of the file that measured it.
    what : str
        What it is.
    value : float
        The number.
    unit : str
        Its unit.
    peer : str
        What it is compared with; empty if the peer is not installed.
    peer_value : float, optional
        The peer's number, in the same unit.
    bounds : tuple of Bound
        All of them have to hold.
    note : str
        What a reader has to know to judge it.
    """

    question: str
    what: str
    value: float
    unit: str
    peer: str = ""
    peer_value: float | None = None
    bounds: tuple[Bound, ...] = ()
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """The number in units of the peer's."""
        return self.value / self.peer_value if self.peer_value else None

    @property
    def ok(self) -> bool | None:
        """Whether it keeps its bounds; None if it has none that can be judged."""
        judged = [_COMPARE[b.sense](number, b.limit) for b in self.bounds
                  if (number := self.ratio if b.of == "ratio" else self.value) is not None]
        return all(judged) if judged else None

    def line(self) -> str:
        """Return it as a line of text."""
        parts = [f"{self.what:<46} {figure(self.value):>8} {self.unit:<9}"]
        if self.peer_value is not None and self.ratio is not None:
            parts.append(f"{self.peer}: {figure(self.peer_value)} {self.unit}"
                         f"  ratio {figure(self.ratio)}")
        for bound in self.bounds:
            name = "" if bound.of == "ratio" else f" {self.unit}"
            parts.append(f"bound {bound.sense} {figure(bound.limit)}{name}")
        verdict = {True: "ok", False: "OVER", None: ""}[self.ok]
        return "  ".join([p for p in (*parts, verdict) if p]) + (
            f"\n    ({self.note})" if self.note else "")

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {**asdict(self), "ratio": self.ratio, "ok": self.ok}


def figure(number: float) -> str:
    """Write a number with three figures, large ones in full."""
    if abs(number) >= 100:
        return f"{number:,.0f}"
    return f"{number:.3g}"


def percentile(values: list[float], percent: float) -> float:
    """Return a percentile, the nearest of the values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(percent / 100 * (len(ordered) - 1)))]
