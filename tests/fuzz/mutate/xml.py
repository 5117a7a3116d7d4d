"""Damage to XML that mostly stays XML: other values, elements, names, depths, encodings."""

from __future__ import annotations

import copy
from random import Random

from lxml import etree

from . import raw

TEXTS = (
    "", " ", "0", "-1", "1e999", "nan", "inf", "400", "-95", "1" * 400, "x" * 10_000, "é" * 200,
    "\u202e", "ivo://", "ivo://a/b#../../c", "ivo://nasa.gsfc.gcn/Fermi#", "../../etc/passwd",
    "-rf", "true", "test", "2024-01-02T03:04:05", "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00", "2024-02-30", "110", "150", "99999999999", "file:///etc/passwd",
    "http://[::1]/", "٣", "１２", "a,b,,c", "{}", "%s%n", "\t",
)
PROLOGUES = (
    b'<!DOCTYPE a [<!ENTITY b "c">]>', b'<!DOCTYPE a SYSTEM "file:///etc/passwd">',
    b'<!DOCTYPE a [<!ENTITY % b SYSTEM "http://127.0.0.1:9/"> %b;]>', b"<?php echo 1 ?>",
    b'<?xml-stylesheet href="http://127.0.0.1:9/"?>', b"<!-- -->", b"<!-- -- -->", b"\0",
    b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>',
)
ENCODINGS = ("utf-16", "utf-16-le", "utf-32", "utf-7", "latin-1", "cp037", "utf-8-sig")
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)


def mutate(data: bytes, random: Random) -> bytes:
    """Change a few places of a document; what is not XML is damaged as bytes."""
    try:
        root = etree.fromstring(data, _PARSER)
    except (etree.XMLSyntaxError, ValueError):
        return raw.mutate(data, random)
    for _ in range(random.choice((1, 1, 2, 5))):
        _change(root, random)
    made = etree.tostring(root, xml_declaration=random.random() < 0.5, encoding="UTF-8")
    return _outside(made, random)[: raw.LONGEST]


def _change(root: etree._Element, random: Random) -> None:
    elements = [e for e in root.iter() if isinstance(e.tag, str)]
    element = random.choice(elements)
    parent = element.getparent()
    kind = random.randrange(9)
    if kind <= 1:
        _set(element, random)
    elif kind == 2 and element.attrib:
        element.set(random.choice(list(element.attrib)), random.choice(TEXTS))
    elif kind == 3 and element.attrib:
        del element.attrib[random.choice(list(element.attrib))]
    elif kind == 4 and parent is not None:
        parent.remove(element)
    elif kind == 5:
        random.choice(elements).append(copy.deepcopy(element) if len(elements) < 300 else
                                       etree.Element("a"))
    elif kind == 6:
        # Only the local name, or another namespace.
        element.tag = random.choice(("VOEvent", "Param", "Group", "What", "Position2D", "Transport",
                                     "{urn:x}Param", "{}C1", "a", "Citations", "EventIVORN"))
    elif kind == 7:
        element.insert(0, random.choice((etree.Comment("c"), etree.ProcessingInstruction("p", "q"),
                                         etree.Element("Param", name="TrigID", value="1"))))
    else:
        for _ in range(random.choice((10, 100, 300))):
            element = etree.SubElement(element, random.choice(("Group", "a", "Position2D")))


def _set(element: etree._Element, random: Random) -> None:
    text = random.choice(TEXTS)
    if element.attrib and random.random() < 0.6:
        element.set("value", text)
    else:
        element.text = text


def _outside(data: bytes, random: Random) -> bytes:
    """Change what lies outside the elements, where a tree cannot."""
    kind = random.randrange(24)
    if kind == 0:
        head, mark, tail = data.partition(b"?>")
        return head + mark + random.choice(PROLOGUES) + tail if mark else \
            random.choice(PROLOGUES) + data
    if kind == 1:
        try:
            return data.decode().encode(random.choice(ENCODINGS))
        except UnicodeError:
            return data
    if kind == 2:
        return data.replace(b"UTF-8", random.choice((*ENCODINGS, "nonsense")).encode(), 1)
    if kind == 3:
        depth = random.choice((200, 300, 20_000))
        return data + b"<a>" * depth if random.random() < 0.3 else data.replace(
            b"</", b"<a>" * depth + b"</a>" * depth + b"</", 1)
    if kind == 4:
        piece = random.choice((b"&b;", b"&#0;", b"&#x110000;", b"\xff"))
        return data.replace(b'"', b'"' + piece, 1)
    if kind in (5, 6):
        return raw.mutate(data, random)
    return data
