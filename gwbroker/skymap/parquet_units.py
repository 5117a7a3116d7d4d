"""Units of Parquet columns: what a file says that its numbers are in."""

from __future__ import annotations

import pyarrow as pa

from ..errors import SkyMapError

LONGEST = 1024**2
"""Most bytes of what astropy says of a table; more takes long to read."""

_ASTROPY = b"table_meta_yaml"


def units_of(schema: pa.Schema, name: str) -> dict[str, str]:
    """Return the units of a file's columns, by their names, as far as it says.

    A field says it as ``unit``; astropy says it of all columns in one text, as in ECSV.

    Parameters
    ----------
    schema : pyarrow.Schema
        Of the file.
    name : str
        The file, for error messages.

    Raises
    ------
    SkyMapError
        If what astropy says of the table is damaged.
    """
    found = _of_astropy((schema.metadata or {}).get(_ASTROPY, b""), name)
    for field in schema:
        if field.metadata and b"unit" in field.metadata:
            found[field.name] = field.metadata[b"unit"].decode(errors="replace")
    return found


def _of_astropy(text: bytes, name: str) -> dict[str, str]:
    if not text:
        return {}
    if len(text) > LONGEST:
        raise SkyMapError(name, f"has {len(text):,} bytes of what astropy says of it, more than "
                          f"{LONGEST:,}")
    from astropy.table.meta import YamlParseError, get_header_from_yaml

    try:
        columns = get_header_from_yaml(text.decode().splitlines())["datatype"]
        return {str(each["name"]): str(each["unit"]) for each in columns if each.get("unit")}
    except (YamlParseError, KeyError, TypeError, AttributeError, UnicodeDecodeError) as e:
        problem = " ".join(str(e).split())[:200]
        raise SkyMapError(name, f"says of itself what cannot be understood: {problem}") from None
