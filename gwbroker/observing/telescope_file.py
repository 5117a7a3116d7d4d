"""Telescopes from a TOML or JSON file, or by name."""

from __future__ import annotations

import difflib
import json
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

from ..errors import SkyMapError
from ..skymap.bounds import check
from .limits import Limits
from .sites import Site, site
from .telescopes import PRESETS, SMALLEST, Telescope

LIMITS = tuple(f.name for f in fields(Limits))
OWN = tuple(f.name for f in fields(Telescope) if f.name not in ("site", "limits"))
LONGEST = 1_000_000
"""Most bytes of a file."""

KEYS = ("site", "fov", *OWN, *LIMITS)
"""What a file may say: the parameters of `Telescope` and of `Limits`, and ``fov``."""


def telescope(name: str) -> Telescope:
    """Return a well-known telescope by its name, or the one in a file.

    Parameters
    ----------
    name : str
        A name in `PRESETS`, or the path of a ``.toml`` or ``.json`` file.

    Raises
    ------
    SkyMapError
        If there is none, or the file is wrong, naming the key.
    """
    key = name.strip().lower()
    if key in PRESETS:
        return PRESETS[key]
    path = Path(name)
    if path.suffix.lower() in (".toml", ".json"):
        return from_mapping(_read(path), str(path))
    close = difflib.get_close_matches(key, PRESETS, n=2)
    raise SkyMapError("telescope", f"there is no {name!r}; "
                      f"{'did you mean ' + ' or '.join(close) + '?' if close else 'known:'}"
                      f"{'' if close else ' ' + ', '.join(PRESETS) + ';'} your own is given by a"
                      " .toml or .json file")


def _read(path: Path) -> Any:
    try:
        with open(path, "rb") as f:
            content = f.read(LONGEST + 1)
        if len(content) > LONGEST:
            raise SkyMapError(str(path), f"has more than {LONGEST:,} bytes: no telescope needs so"
                              " many")
        text = content.decode("utf-8")
    except OSError as e:
        raise SkyMapError(str(path), f"cannot be read: {e.strerror}") from None
    except UnicodeDecodeError as e:
        raise SkyMapError(str(path), f"is not UTF-8: {e}") from None
    try:
        return tomllib.loads(text) if path.suffix.lower() == ".toml" else json.loads(text)
    except RecursionError:
        raise SkyMapError(str(path), "has brackets too deep within one another") from None
    except ValueError as e:
        raise SkyMapError(str(path), f"is not {path.suffix[1:].upper()}: {e}") from None


def from_mapping(values: Any, source: str) -> Telescope:
    """Return the telescope that a mapping describes; ``fov`` is width and height, or a diameter.

    Raises
    ------
    SkyMapError
        Naming the source, the key and the value.
    """
    if not isinstance(values, dict):
        raise SkyMapError(source, "is not a table of keys and values")
    for key in values:
        if key not in KEYS:
            close = difflib.get_close_matches(str(key), KEYS, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(KEYS)}"
            raise SkyMapError(source, f"no telescope has this; {hint}", str(key))
        if key not in ("name", "site", "fov", "twilight", "declination") and (
                isinstance(values[key], bool) or not isinstance(values[key], (int, float))):
            raise SkyMapError(source, f"{values[key]!r} is not a number", str(key))
    if not isinstance(values.get("name", ""), str):
        raise SkyMapError(source, f"{values['name']!r} is not a text", "name")
    own = {"name": Path(source).stem} | {k: values[k] for k in OWN if k in values}
    try:
        if "fov" in values:
            own |= field_of_view(values["fov"])
        place = _site(values["site"]) if "site" in values else None
        given: dict[str, Any] = {k: values[k] for k in LIMITS if k in values}
        if isinstance(given.get("declination"), list):
            given["declination"] = tuple(given["declination"])
        limits = Limits(**given)
        return Telescope(**own, site=place, limits=limits)
    except SkyMapError as e:
        raise SkyMapError(source, e.problem, e.source) from None
    except TypeError as e:
        raise SkyMapError(source, f"a value is of the wrong kind: {e}") from None


def field_of_view(sides: Any) -> dict[str, float]:
    """Return the parameters of a field of view given as width and height, degrees.

    Raises
    ------
    SkyMapError
        If there are not two numbers, or one for the diameter of a circle.
    """
    numbers = sides if isinstance(sides, (list, tuple)) else [sides]
    if len(numbers) not in (1, 2) or not all(
            isinstance(n, (int, float)) and not isinstance(n, bool) for n in numbers):
        raise SkyMapError("fov", f"{sides!r:.60} is not width and height, or a diameter, in"
                          " degrees")
    if len(numbers) == 1:
        # Checked here, because to a telescope a radius of 0 means that it has none.
        diameter = check("fov", numbers[0], SMALLEST, 80)
        return {"radius": diameter / 2, "width": 0.0, "height": 0.0}
    return {"width": numbers[0], "height": numbers[1], "radius": 0.0}


def _site(value: Any) -> Site:
    if isinstance(value, str):
        return site(value)
    if isinstance(value, list) and len(value) in (2, 3):
        return site(" ".join(str(v) for v in value))
    raise SkyMapError("site", f"{value!r} is not a name, or longitude, latitude and height")
