"""Targets: the parsers under fuzz, each a function of bytes that returns or raises our errors."""

from __future__ import annotations

import base64
import importlib
import inspect
import json
import pkgutil
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC
from functools import cache
from random import Random
from typing import Any

from gwbroker import dispatch, handlers, products
from gwbroker.errors import NoticeError, SkyMapError, TransportError
from gwbroker.notice import Notice, looks_like_xml, parse_xml
from gwbroker.report import Report, pack, unpack
from gwbroker.skymap import fits as skymaps
from gwbroker.streams import avro as avro_
from gwbroker.streams import (
    gcn,
    healpix,
    igwn,
    kafka,
    pipeline,
    scimma,
    transport,
    voevent,
    voevent_schema,
)
from gwbroker.streams import guess as guessing
from gwbroker.streams.issued import issued
from gwbroker.streams.subject import LONGEST, identify

from . import case, seeds
from .mutate import avro, frames, raw, xml
from .mutate import fits as fits_
from .mutate import json as json_

ALLOWED = (NoticeError, SkyMapError, TransportError)
"""What a parser may raise for what is in a message."""


@dataclass(frozen=True)
class Target:
    """A parser: what it is called with, how inputs are damaged, and its share of a run."""

    name: str
    run: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    mutate: Callable[[bytes, Random], bytes]
    share: float


def _try(read: Callable[[], Any]) -> Any:
    """Return what a reader returns; our own errors are as good."""
    try:
        return read()
    except ALLOWED as e:
        said = str(e)
    assert len(said) < 2000, f"an error of {len(said)} characters"
    return None


@cache
def readers() -> tuple[Callable[[Notice], Any], ...]:
    """Return every reading function of the built-in handlers, found by what it is called."""
    found = {}
    for module in pkgutil.iter_modules(handlers.__path__, handlers.__name__ + "."):
        for name, function in inspect.getmembers(importlib.import_module(module.name)):
            if name.startswith(("read_", "names_in", "merger_of", "reason", "is_recent")) \
                    and inspect.isfunction(function) \
                    and list(inspect.signature(function).parameters) == ["notice"]:
                found[f"{function.__module__}.{name}"] = function
    return tuple(found[name] for name in sorted(found))


def _report(report: object) -> None:
    """Check that what was read can be stored, shown, and named in a path."""
    if not isinstance(report, Report):
        return
    values = asdict(replace(report, localization=None))
    json.dumps(values, allow_nan=False, default=str).encode()
    if report.localization is not None:
        assert unpack(json.loads(json.dumps(pack(report.localization)))) == report.localization
    for text in report.identifiers:
        assert 0 < len(text) <= LONGEST, f"{len(text)} characters"
    for text in (report.name, *report.identifiers):
        assert text.isprintable(), ascii(text)
    path = products.relative(1, report.name, 1, "skymap", "fits")
    assert path.count("/") == 1, path
    assert ".." not in path, path


def message(data: bytes) -> None:
    """Do with a message all that intake and the built-in handlers do with it."""
    notice = case.unpack(data).notice
    identity = identify(notice)
    for name in (identity.identifier, identity.subject):
        assert name is None or (name.isprintable() and 0 < len(name) <= LONGEST), ascii(name)
    choices = dispatch.choose(notice)
    for choice in choices:
        assert "where= failed" not in (choice.error or ""), choice.error
    dispatch.drafts(notice, 1, choices)
    guessing.guess(notice.payload, notice.topic)
    modules = {choice.registration.function.__module__ for choice in choices}
    pick = zlib.crc32(data)
    # Those that are meant for it, and two others.
    for number, read in enumerate(readers()):
        if read.__module__ not in modules and (number - pick) % len(readers()) > 1:
            continue
        _report(_try(lambda read=read: read(notice)))
    if looks_like_xml(notice.payload):
        _packet(notice)
    else:
        alert = _try(lambda: igwn.read(notice))
        for name in ("mock", "test", "created", "t0", "far"):
            _try(lambda name=name: getattr(alert, name, None))
        _try(lambda: kafka.decode(notice))
        upload = _try(lambda: pipeline.read(notice))
        for name in ("far", "superevent", "detail"):
            getattr(upload, name, None)
    _try(lambda: scimma.read(notice))
    moment = issued(notice)
    assert moment is None or moment.tzinfo is UTC, moment


def _packet(notice: Notice) -> None:
    _try(lambda: gcn.notice_type(notice))
    packet = _try(lambda: voevent.read(notice))
    for name in ("stream", "author_date", "time", "position", "citations", "importance"):
        _try(lambda name=name: getattr(packet, name, None))


def gwalert(data: bytes) -> None:
    """Read the sky map inside a message, as the task does."""
    notice = case.unpack(data).notice
    for read in readers():
        if read.__name__ in ("read_gwalert", "read_km3net"):
            _report(_try(lambda read=read: read(notice)))
    content = _try(lambda: healpix.skymap_bytes(notice))
    if content is not None:
        fits(content)


def fits(data: bytes) -> None:
    """Read a sky map."""
    skymap = _try(lambda: skymaps.read(data, "fuzz.fits"))
    if skymap is not None:
        assert abs(float(skymap.prob.sum()) - 1) < 1e-6


def vtp(data: bytes) -> None:
    """Cut a stream of bytes into frames, in pieces, and answer what is in them."""
    decoder = transport.Decoder(limit=2**20)
    step = 1 + len(data) % 977
    for place in range(0, len(data), step):
        decoder.feed(data[place : place + step])
        while True:
            try:
                document = decoder.next()
            except TransportError:
                return
            if document is None:
                break
            _document(document)


def _document(document: bytes) -> None:
    root = _try(lambda: parse_xml(document))
    if root is not None:
        _try(lambda: voevent_schema.check(root))
    transport.may_be_transport(document)
    found = _try(lambda: transport.parse(document))
    if isinstance(found, transport.Transport):
        _try(lambda: found.answer("ivo://us/me", ("//Param",)).to_xml())
    elif found is not None and found.ivorn:
        _try(lambda: transport.ack(found.ivorn, "ivo://us/me").to_xml())
        _try(lambda: transport.nak(found.ivorn, "ivo://us/me", "why").to_xml())


@cache
def known_schemas() -> tuple[Any, ...]:
    """Return the schemas of the seeds, prepared as those of a registry are."""
    return (avro_.prepare(json.dumps(seeds.SCHEMA)),)


def packed(data: bytes) -> None:
    """Decode a message of any topic by its content and headers."""
    notice = case.unpack(data).notice
    _try(lambda: kafka.decode(notice))
    # The same bytes as a value whose schema came from a registry.
    for schema in known_schemas():
        _try(lambda schema=schema: avro_.single(notice.payload[5:], schema))


def headers(data: bytes) -> None:
    """Read a message whose headers may lie about it."""
    notice = case.unpack(data).notice
    for name, _ in notice.headers:
        notice.header(name)
    packed(data)
    message(data)


def _payload(change: Callable[[bytes, Random], bytes]) -> Callable[[bytes, Random], bytes]:
    def mutated(data: bytes, random: Random) -> bytes:
        old = case.unpack(data)
        return case.Case(old.topic, change(old.payload, random), old.headers).pack()

    return mutated


def _any(data: bytes, random: Random) -> bytes:
    """Damage a payload by its own grammar, or by another's."""
    if random.random() < 0.05:
        return random.choice((xml, json_, raw, avro)).mutate(data, random)
    if data.startswith(b"Obj\x01"):
        return avro.mutate(data, random)
    return (xml if looks_like_xml(data) else json_).mutate(data, random)


def _alert(data: bytes, random: Random) -> bytes:
    """Damage the FITS file inside a JSON message, or its base64, or the message."""
    kind = random.random()
    if kind < 0.2:
        return json_.mutate(data, random)
    try:
        value = json.loads(data)
        holder, key = (value["event"], "skymap") if "event" in value else (value, "healpix_file")
        head, comma, text = holder[key].rpartition(",")
        content = base64.b64decode(text)
        made = base64.b64encode(fits_.mutate(content, random)).decode()
        if kind < 0.3:
            made = raw.mutate(made.encode(), random).decode("latin-1")
        holder[key] = head + comma + made
    except (ValueError, KeyError, TypeError, AttributeError):
        return json_.mutate(data, random)
    return json.dumps(value).encode()


NAMES = (b"_format", b"_id", b"_test", b"_sender", b"_schema", b"schema_id", b"", b"\xff",
         b"x" * 999)


def _headers(data: bytes, random: Random) -> bytes:
    old = case.unpack(data)
    if random.random() < 0.4:
        return case.Case(old.topic, _any(old.payload, random), old.headers).pack()
    made = list(old.headers) or [("_format", b"json")]
    index = random.randrange(len(made))
    name, value = made[index]
    made[index] = random.choice((
        (name, raw.mutate(value, random)[:10_000]),
        (random.choice(NAMES).decode("latin-1"), value), (made[0][0], value)))
    return case.Case(old.topic, old.payload, tuple(made * random.choice((1, 1, 1, 20)))).pack()


TARGETS = {target.name: target for target in (
    Target("voevent", message, seeds.voevents, _payload(xml.mutate), 0.25),
    Target("notice", message, seeds.notices, _payload(_any), 0.3),
    Target("vtp", vtp, seeds.frames, frames.mutate, 0.2),
    Target("avro", packed, seeds.avro, _payload(avro.mutate), 0.12),
    Target("headers", headers, seeds.headed, _headers, 0.06),
    Target("fits", fits, seeds.fits, fits_.mutate, 0.04),
    Target("gwalert", gwalert, seeds.gwalerts, _payload(_alert), 0.03),
)}
