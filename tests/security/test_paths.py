"""Whatever an event or notice is called, its products lie below their folder."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gwbroker import products
from tests import servers

HOSTILE = (
    "../../etc/passwd", "..", ".", "", "/etc/passwd", "//", "a/../../b", "..\\..\\x", "-rf", "--",
    "~root", "$(touch x)", "`x`", "a;b", "a\nb", "a\0b", "NUL", "con", "COM1", "x" * 300, "é" * 300,
    "\u202egnp.exe", "\uff0e\uff0e\uff0f", "\u2024\u2024/", "．．/", "%2e%2e%2f", ".hidden", "a.",
    " a ", "*", "?", "[a]", "{a,b}", "\ud800", "ivo://a/b#../../c", "S190814bv",
)


def check(path: str) -> None:
    """Check that a path is two harmless names."""
    assert re.fullmatch(r"\d{6,}-[A-Za-z0-9+][A-Za-z0-9.+-]*/\d{8,}-[A-Za-z0-9+][A-Za-z0-9.+-]*",
                        path), path
    assert ".." not in path
    assert all(len(part) < 200 for part in path.split("/"))


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_give_harmless_paths(name, home):
    check(products.relative(7, name, 3, "skymap", "multiorder.fits"))
    check(products.relative(7, "x", 3, name, name))
    stored = products.store_json(products.relative(7, name, 3, "summary", "json"), {"a": 1})
    assert stored.file.resolve().is_relative_to(products.folder().resolve())


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(max_size=400), kind=st.text(max_size=50),
       event=st.integers(0, 10**12), notice=st.integers(0, 10**12))
def test_any_name_gives_a_harmless_path(home, name, kind, event, notice):
    check(products.relative(event, name, notice, kind, "json"))


@pytest.mark.parametrize("path", [
    "../x", "/etc/x", "a/../../x", "a/..", "..", "", "a\0b", "./../x",
])
def test_a_path_that_leads_out_of_the_folder_is_refused(path, home):
    with pytest.raises(ValueError, match="is not a path below the folder of products"):
        products.store_json(path, {})
    assert not (home / "x").exists()


def test_hostile_ids_in_notices_leave_the_rest_of_the_disk_alone(home: Path, environment, sqlite):
    files = home.parent / "messages"
    files.mkdir()
    for number, name in enumerate((*HOSTILE[:1], *HOSTILE[10:12], HOSTILE[17])):
        value = {"id": name, "event_name": f"GRB 240102{name}", "ra": 1, "dec": 2,
                 "ra_dec_error": 1, "alert_datetime": "2024-01-02T03:04:05Z"}
        (files / f"{number}.json").write_text(json.dumps(value))
    before = {p for p in home.parent.rglob("*") if home not in p.parents}
    subprocess.run(
        [*servers.GWBROKER, "replay", str(files), "--here", "--topic",
         "gcn.notices.swift.bat.guano"], check=False, capture_output=True, timeout=120)
    made = [p for p in (home / "products").rglob("*") if p.is_file()]
    assert len(made) >= 8
    for path in made:
        check(str(path.relative_to(home / "products")))
    assert {p for p in home.parent.rglob("*") if home not in p.parents} == before
