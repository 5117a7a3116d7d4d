"""Lanes: the lanes of one reader, made when they are needed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from .kafka_commits import Commits, Place
from .kafka_config import Lane as LaneName
from .kafka_lane import Lane

PATIENCE = 3.0
"""Seconds to wait at the end for an answer to the last commit, and to the good-bye."""

REST = 30.0
"""Seconds for which the client of an empty lane is kept for the next backlog."""


class Lanes:
    """The live lane, and those for a backlog and for high volume, while there are such.

    Parameters
    ----------
    make : callable
        Makes a lane of a name.
    commits : Commits
        Sent by the client of the live lane, for all.
    """

    def __init__(self, make: Callable[[LaneName], Lane], commits: Commits) -> None:
        self._make = make
        self.live = make("live")
        self.commits = commits
        self.old: Lane | None = None
        self.bulk: Lane | None = None
        self._empty_since: float | None = None

    @property
    def all(self) -> list[Lane]:
        """Those that there are."""
        return [lane for lane in (self.live, self.old, self.bulk) if lane is not None]

    def open(self, name: LaneName) -> Lane:
        """Return a lane, making it if it is not there."""
        found: Lane | None = getattr(self, name)
        if found is None:
            found = self._make(name)
            setattr(self, name, found)
        self._empty_since = None
        return found

    def rest(self, old: Lane) -> None:
        """Note that the lane for old messages is empty; close it after a while."""
        now = time.monotonic()
        if self._empty_since is None:
            self._empty_since = now
        elif now - self._empty_since > REST:
            self.old = None
            old.close()

    def of(self, place: Place) -> Lane | None:
        """Return the lane that reads a partition."""
        return next((lane for lane in self.all if place in lane.next), None)

    def drop(self, places: Iterable[Place]) -> None:
        """Read these no more, in whichever lane they are."""
        places = list(places)
        for lane in self.all:
            lane.drop(places)

    def places(self) -> set[Place]:
        """Return all that is read."""
        return {place for lane in self.all for place in lane.next}

    def lags(self) -> dict[str, int]:
        """Return how many messages of each topic wait in Kafka, where that is known."""
        lags: dict[str, int] = {}
        for lane in self.all:
            for place in lane.next:
                lag = lane.lag(place)
                if lag is not None:
                    lags[place[0]] = lags.get(place[0], 0) + lag
        return lags

    def pause(self) -> None:
        """Fetch nothing in any lane."""
        for lane in self.all:
            lane.pause()

    def resume(self) -> None:
        """Fetch again in all."""
        for lane in self.all:
            lane.resume()

    def idle(self, timeout: float) -> None:
        """Poll all while they are paused."""
        self.live.idle(timeout)
        for lane in self.all[1:]:
            lane.idle(0)

    def close(self) -> None:
        """Commit what is kept, and close all."""
        self.drop(self.places())
        self.commits.finish(self.live.consumer, PATIENCE)
        for lane in reversed(self.all):
            lane.close(PATIENCE)
