"""Small messages for the handlers' tests, and the recorded ones where they are present."""

from __future__ import annotations

import json
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pytest

from gwbroker.notice import Notice

DATA = Path(__file__).parents[3] / "shared" / "data"


def _packet(ivorn="ivo://nasa.gsfc.gcn/Fermi#GBM_Flt_Pos_1", params=None, groups=None, ra="10",
            dec="-20", radius="3", time="2024-01-02T03:04:05", role="observation", cites=(),
            topic="voevent"):
    def listed(values):
        return "".join(f"<Param name={quoteattr(k)} value={quoteattr(str(v))}/>"
                       for k, v in (values or {}).items())

    where = "" if ra is None else (
        f"<Position2D><Value2><C1>{ra}</C1><C2>{dec}</C2></Value2>"
        + ("" if radius is None else f"<Error2Radius>{radius}</Error2Radius>") + "</Position2D>")
    cited = "".join(f'<EventIVORN cite="{how}">{to}</EventIVORN>' for how, to in cites)
    inner = "".join(f"<Group name={quoteattr(name)}>{listed(values)}</Group>"
                    for name, values in (groups or {}).items())
    return Notice(
        f"""<?xml version="1.0" encoding="UTF-8"?>
        <voe:VOEvent xmlns:voe="http://www.ivoa.net/xml/VOEvent/v2.0" version="2.0"
            role={quoteattr(role)} ivorn={quoteattr(ivorn)}>
        <Who><Date>2024-01-02T03:05:00</Date></Who><What>{listed(params)}{inner}</What>
        <WhereWhen><ObsDataLocation><ObservationLocation><AstroCoords>
        <Time><TimeInstant><ISOTime>{time}</ISOTime></TimeInstant></Time>{where}
        </AstroCoords></ObservationLocation></ObsDataLocation></WhereWhen>
        <Citations>{cited}</Citations></voe:VOEvent>""".encode(), topic=topic)


@pytest.fixture(scope="session")
def packet():
    """Return a function that makes a notice with a VOEvent."""
    return _packet


@pytest.fixture(scope="session")
def message():
    """Return a function that makes a notice with JSON."""
    def make(topic, **value):
        return Notice(json.dumps(value).encode(), topic=topic)

    return make


@pytest.fixture(scope="session")
def recorded():
    """Return a function that reads a recorded message, with the topic that it came by."""
    def load(name):
        path = DATA / name
        if not path.exists():
            pytest.skip(f"{path} is not there: recorded messages are not part of the project")
        payload = path.read_bytes()
        if name.startswith("igwn/"):
            return Notice(payload, topic="igwn.gwalert")
        if name.endswith(".xml"):
            return Notice(payload, topic="voevent")
        schema = json.loads(payload)["$schema"].partition("/gcn/")[2]
        topic = schema.removesuffix(".schema.json").replace("/", ".").lower()
        return Notice(payload, topic=f"gcn.{topic}")

    return load
