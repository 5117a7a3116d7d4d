"""What is a VOEvent by the recommendations, and what only looks like one."""

from __future__ import annotations

from pathlib import Path

import pytest

from gwbroker.errors import NoticeError
from gwbroker.notice import parse_xml
from gwbroker.samples import load
from gwbroker.streams.voevent_schema import check, check_ivorn

RECORDED = Path(__file__).parents[3] / "shared" / "data" / "voevent"

TEXT = """<v:VOEvent xmlns:v="http://www.ivoa.net/xml/VOEvent/v2.0" version="2.0"
 role="observation" ivorn="ivo://test.example/stream#1">
<Who><AuthorIVORN>ivo://test.example/me</AuthorIVORN><Date>2026-01-01T00:00:00</Date></Who>
<What><Param name="a" value="1"/><Group name="g"><Param name="b"/></Group></What>
<WhereWhen><ObsDataLocation><ObservationLocation><AstroCoords><Position2D><Value2><C1>10.5</C1>
<C2>-3</C2></Value2><Error2Radius>1</Error2Radius></Position2D></AstroCoords></ObservationLocation>
</ObsDataLocation></WhereWhen>
<Why importance="0.5"><Inference probability="1"/></Why>
<Citations><EventIVORN cite="followup">ivo://test.example/stream#0</EventIVORN></Citations>
<Reference uri="https://test.example/"/><!-- a comment --></v:VOEvent>"""


@pytest.mark.parametrize("version", ["1.1", "2.0", "2.1"])
@pytest.mark.parametrize("prefix", ["v:", ""])
def test_a_packet_of_each_version_is_good_with_its_parts_in_the_namespace_or_not(
    version: str, prefix: str,
):
    text = TEXT.replace("2.0", version)
    if not prefix:
        text = text.replace("v:VOEvent", "VOEvent").replace("xmlns:v", "xmlns")
    check(parse_xml(text.encode()))


def test_every_recorded_packet_is_good():
    samples = [each.payload() for each in load() if each.payload()[:5] == b"<?xml"]
    found = [parse_xml(each) for each in samples if b":VOEvent" in each]
    assert len(found) > 4
    for root in found:
        check(root)


def test_recorded_packets_of_other_observatories_are_good():
    files = [file for file in RECORDED.glob("*.xml") if "no_namespace" not in file.name]
    if not files:
        pytest.skip(f"{RECORDED} is not there")
    for file in files:
        check(parse_xml(file.read_bytes()))


@pytest.mark.parametrize(("old", "new", "said"), [
    ("v:VOEvent", "v:VOEvents", "is not VOEvent"),
    ("xml/VOEvent/v2.0", "xml/VOEvent/v3.0", "namespace: is not one of"),
    ('version="2.0"', 'version="2.1"', "@version"),
    ('version="2.0"', "", "@version"),
    ("observation", "joke", "@role"),
    ("<Who>", "<Whom/><Who>", "Whom"),
    ("<Who>", "<Who/><Who>", "VOEvent/Who: is there more than once"),
    ("2026-01-01T00:00:00", "yesterday", "Who/Date"),
    ("<Date>2026", "<Date>2025-01-01T00:00:00</Date><Date>2026", "Who/Date: is there more"),
    ("<Param", "<Parameter/><Param", "Parameter"),
    ("10.5", "north", "C1"), ("10.5", "nan", "C1"),
    ('="0.5"', '="high"', "importance"), ("followup", "because", "@cite"),
    ("EventIVORN", "Description", "cites nothing"),
    ('uri="https://test.example/"', "", "Reference/@uri"),
])
def test_what_is_wrong_is_named(old: str, new: str, said: str):
    assert old in TEXT
    with pytest.raises(NoticeError, match=said):
        check(parse_xml(TEXT.replace(old, new).encode()))


@pytest.mark.parametrize("ivorn", [
    "ivo://nasa.gsfc.gcn/Fermi#GBM_Gnd_Pos_2018-01-16T00:36:52.81_537755817_56-996",
    "ivo://abc#1", "ivo://a.b-c/d/e.f#x+y%20&;",
])
def test_an_ivorn_has_an_authority_and_something_after_the_number_sign(ivorn: str):
    check_ivorn(ivorn)


@pytest.mark.parametrize("ivorn", [
    None, "", "ivo://", "ivo://#1", "ivo://a#1", "ivo://abc/d", "ivo://abc/d#", "abc/d#1",
    "http://abc/d#1", "ivo://abc/d e#1", "ivo://abc/d#1 ", "ivo://abc/d#1\n", "ivo://abc#<1>",
    "ivo://abc/d#1#2", "ivo://abc/" + "d" * 2000 + "#1",
])
def test_what_is_no_ivorn_is_refused(ivorn: str | None):
    with pytest.raises(NoticeError, match="@ivorn"):
        check_ivorn(ivorn)
