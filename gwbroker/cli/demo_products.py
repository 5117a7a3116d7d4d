"""What the demo shows of the annotations of its maps, and which it finds missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

ALWAYS = {"skymap", "summary", "allsky", "zoom", "allsky-dark", "zoom-dark", "areas", "moc",
          "view", "observability"}
"""What every event with a map has at the end, unless it was retracted."""

FIRST = "S170817a"
"""The event that comes with a burst, and near enough for the made-up galaxies."""

YEAR = 365.25 * 86400


def volume(event: Mapping[str, Any]) -> str:
    """Return an event's 90 % credible volume as people read it."""
    value = event["facts"].get("volume_90")
    return f"{value:,.3g} Mpc³" if value and value < 1000 else f"{value:,.0f} Mpc³" if value else ""


def annotated(event: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a row about what was made for an event after people were told."""
    facts = event["facts"]
    galaxies = "; ".join(
        f"{found['ranked']}, best {found['best'][0]['name']}" if found["best"] else "none"
        for found in facts.get("galaxies", {}).values())
    seen = "; ".join(f"{site} {100 * found['probability']:.0f} %"
                     for site, found in facts.get("observability", {}).items())
    plans = "; ".join(
        f"{name}: {found['exposures']} exposure{'s' if found['exposures'] != 1 else ''}, "
        f"{100 * found['covered']:.0f} %" if found["exposures"] else f"{name}: {found['reason']}"
        for name, found in facts.get("plans", {}).items())
    return (event["name"], volume(event), galaxies, seen, plans)


def coincidences(events: Iterable[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Return a row for each pair of events that may be one."""
    return [_coincidence(event, found) for event in events
            for found in event["facts"].get("coincidences", ())
            # Each is on both events; here once, on the one that its offset counts from.
            if event["kind"] == found["pair"].partition("-")[0]]


def _coincidence(event: Mapping[str, Any], found: Mapping[str, Any]) -> tuple[str, ...]:
    return (f"{event['name']} and {found['name']}", f"{found['offset']:+.2f} s",
            _rare(found["far_time"]),
            "" if found["overlap"] is None else f"{found['overlap']:.3g}", _rare(found["far"]),
            str(found["withdrawn"] or ("yes" if found["publish"] else "no")))


def _rare(far: float | None) -> str:
    if not far:
        return "not known"
    years = 1 / far / YEAR
    return f"1 per {years:,.0f} years" if years < 1e6 else f"1 per {years:.2g} years"


def missing(events: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return which products and facts should be there and are not."""
    found = []
    by_name = {event["name"]: event for event in events}
    for name, event in by_name.items():
        kinds = {product["kind"] for product in event["products"]}
        if not kinds or event["state"] == "retracted":
            continue
        wanted = ALWAYS | ({"plan"} if event["role"] == "real" else set())
        if event["facts"].get("distmean"):
            wanted |= {"volume", "volume-dark"}
        if not wanted <= kinds:
            found.append(f"event {event['id']} ({name}) lacks {sorted(wanted - kinds)}")
    first = by_name.get(FIRST)
    if first is None:
        return [*found, f"there is no event {FIRST}"]
    kinds = {product["kind"] for product in first["products"]}
    if not {"galaxies", "zoom-galaxies", "coincidence", "combined", "coherence"} <= kinds:
        found.append(f"{FIRST} has only {sorted(kinds)}")
    if not any(entry["publish"] for entry in first["facts"].get("coincidences", ())):
        found.append(f"{FIRST} has no coincidence that may be published")
    return found
