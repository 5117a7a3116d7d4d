"""VOEvent 2.0 packets in the form of GCN's classic notices (IVOA Recommendation, 11 July 2011)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import gcn
from lxml import etree

VOE = "http://www.ivoa.net/xml/VOEvent/v2.0"
XSI = "http://www.w3.org/2001/XMLSchema-instance"


@dataclass(frozen=True)
class Packet:
    """What a packet says.

    Parameters
    ----------
    kind : gcn.NoticeType
        Type of the notice.
    ivorn : str
        What follows ``ivo://nasa.gsfc.gcn/``.
    written, time : str
        When the packet was made and when the event happened, ISO 8601 UTC.
    ra, dec, error : float
        Position and error radius, degrees.
    author, instrument : str
        Who tells of it, and what saw it.
    params : mapping
        Further parameters: name to value, or to (value, unit, ucd).
    name : str
        Name of the source; empty if it has none yet.
    cites : str
        The packet that it follows up, as `ivorn`; empty if it is the first.
    role : str
        VOEvent's role: observation, prediction, utility or test.
    """

    kind: gcn.NoticeType
    ivorn: str
    written: str
    time: str
    ra: float
    dec: float
    error: float
    author: str
    instrument: str
    params: Mapping[str, str | tuple[str, str, str]] = field(default_factory=dict)
    name: str = ""
    cites: str = ""
    role: str = "observation"

    def xml(self) -> bytes:
        """Return the packet as XML."""
        root = etree.Element(f"{{{VOE}}}VOEvent", nsmap={"voe": VOE, "xsi": XSI})
        root.set("ivorn", f"ivo://nasa.gsfc.gcn/{self.ivorn}")
        root.set("role", self.role)
        root.set("version", "2.0")
        root.set(f"{{{XSI}}}schemaLocation", f"{VOE} {VOE.rsplit('/', 1)[0]}/VOEvent-v2.0.xsd")
        self._who(root)
        self._what(root)
        self._where_when(root)
        how = add(root, "How")
        add(how, "Description", self.instrument)
        why = add(root, "Why")
        inference = add(why, "Inference", probability="1.0")
        if self.name:
            add(inference, "Name", self.name)
        add(inference, "Concept", "process.variation.burst")
        if self.cites:
            citations = add(root, "Citations")
            add(citations, "EventIVORN", f"ivo://nasa.gsfc.gcn/{self.cites}", cite="followup")
        add(root, "Description", "Made by gwbroker from published facts, for demonstration only.")
        return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)

    def _who(self, root: etree._Element) -> None:
        who = add(root, "Who")
        add(who, "AuthorIVORN", "ivo://nasa.gsfc.tan/gcn")
        add(add(who, "Author"), "shortName", self.author)
        add(who, "Date", self.written)

    def _what(self, root: etree._Element) -> None:
        what = add(root, "What")
        add(what, "Param", name="Packet_Type", value=str(int(self.kind)))
        for name, content in self.params.items():
            value, unit, ucd = (content, "", "") if isinstance(content, str) else content
            extra = {key: text for key, text in (("unit", unit), ("ucd", ucd)) if text}
            add(what, "Param", name=name, value=value, **extra)
        add(what, "Param", name="Coords_Type", value="1", unit="dn")
        add(what, "Param", name="Coords_String", value="source_object")

    def _where_when(self, root: etree._Element) -> None:
        data = add(add(root, "WhereWhen"), "ObsDataLocation")
        add(data, "ObservatoryLocation", id="GEOLUN")
        location = add(data, "ObservationLocation")
        add(location, "AstroCoordSystem", id="UTC-FK5-GEO")
        coords = add(location, "AstroCoords", coord_system_id="UTC-FK5-GEO")
        add(add(add(coords, "Time", unit="s"), "TimeInstant"), "ISOTime", self.time)
        position = add(coords, "Position2D", unit="deg")
        add(position, "Name1", "RA")
        add(position, "Name2", "Dec")
        values = add(position, "Value2")
        add(values, "C1", f"{self.ra:.4f}")
        add(values, "C2", f"{self.dec:.4f}")
        add(position, "Error2Radius", f"{self.error:.4f}")


def add(parent: etree._Element, tag: str, text: str = "", **attributes: str) -> etree._Element:
    """Return a new child of an element; elements inside a packet have no namespace."""
    child = etree.SubElement(parent, tag, attributes)
    if text:
        child.text = text
    return child
