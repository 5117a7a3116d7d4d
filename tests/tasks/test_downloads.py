"""Maps that appear later: waited for without a worker, and then the event's own."""

from __future__ import annotations

import gzip
import http.server
import json
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits as astropy_fits
from sqlalchemy import update

from gwbroker import jobs, products, running
from gwbroker.callees import callee
from gwbroker.conf import settings
from gwbroker.fetch import permitted
from gwbroker.intake import accept
from gwbroker.ledger import engine, events, models
from gwbroker.ledger import jobs as job_rows
from gwbroker.ledger.claims import Claim
from gwbroker.notice import Notice
from gwbroker.report import Cone, Downloaded, Report, pack, unpack
from gwbroker.skymap import fits
from gwbroker.tasks import downloads, skymaps
from gwbroker.tasks import events as event_tasks

from .. import https_site

HOST = "heasarc.gsfc.nasa.gov"
NAME = "gwbroker.tasks.downloads.download"


class Heasarc(http.server.BaseHTTPRequestHandler):
    """An archive whose files appear when a test puts them there."""

    files: dict[str, bytes] = {}  # noqa: RUF012
    asked: list[str] = []  # noqa: RUF012
    stalled = threading.Event()

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Send the file, or 404."""
        self.asked.append(self.path)
        content = self.files.get(self.path)
        self.send_response(404 if content is None else 200)
        length = 2**32 if self.path == "/large.fit" else len(content or b"")
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.path == "/slow.fit" and not self.stalled.is_set():
            self.wfile.write((content or b"")[:5000])
            self.wfile.flush()
            self.stalled.set()
            time.sleep(20)
        else:
            self.wfile.write(content or b"")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for the archive."""
    return https_site.certificate(HOST, tmp_path_factory.mktemp("tls") / "site.pem")


@pytest.fixture(scope="module")
def port(certificate: Path) -> Iterator[int]:
    """The archive's port on this host."""
    with https_site.serving(Heasarc, certificate) as number:
        yield number


@pytest.fixture(autouse=True)
def site(
    sqlite: str, port: int, certificate: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An empty archive in reach; jobs are run here, not sent to workers."""
    monkeypatch.setattr(jobs._wire, "_silent_until", float("inf"))
    monkeypatch.setattr(downloads, "REACH", https_site.reach(port, certificate))
    Heasarc.files.clear()
    Heasarc.asked.clear()
    Heasarc.stalled.clear()


@pytest.fixture(scope="module")
def healpix(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A flat NESTED map as Fermi makes it: PROBABILITY and SIGNIFICANCE, dense near 80, 40."""
    nside = 32
    import healpy

    x, y, z = healpy.pix2vec(nside, np.arange(12 * nside**2), nest=True)
    centre = healpy.ang2vec(80, 40, lonlat=True)
    prob = np.exp(300 * (np.stack([x, y, z], axis=-1) @ centre - 1))
    table = astropy_fits.BinTableHDU.from_columns([
        astropy_fits.Column("PROBABILITY", "D", array=prob / prob.sum()),
        astropy_fits.Column("SIGNIFICANCE", "D", array=np.cumsum(prob))])
    table.header.update({"PIXTYPE": "HEALPIX", "ORDERING": "NESTED", "NSIDE": nside,
                         "FIRSTPIX": 0, "LASTPIX": 12 * nside**2 - 1, "INDXSCHM": "IMPLICIT",
                         "COORDSYS": "EQUATORIAL"})
    path = tmp_path_factory.mktemp("map") / "glg_healpix_all_bn.fit"
    astropy_fits.HDUList([astropy_fits.PrimaryHDU(), table]).writeto(path)
    return path.read_bytes()


def record(port: int, *paths: str, host: str = HOST, number: int = 1) -> int:
    """Record a notice with a cone and URLs of maps; return the number of its event."""
    payload = b"{}" if number == 1 else str(number).encode()
    kept = accept([Notice(payload, topic="replay")])[0]
    report = Report("grb", f"GRB {number}", (f"test:{number}",),
                    localization=Cone(10.0, 20.0, 3.0, 0.9),
                    maps=tuple(f"https://{host}:{port}{path}" for path in paths))
    return event_tasks.record(Notice(payload, topic="replay", id=kept.id), report)


def listing() -> list[dict[str, Any]]:
    """Return every job."""
    with engine.read() as connection:
        return job_rows.listing(connection, limit=1000)


def waiting() -> dict[str, Any]:
    """Return the only download there is."""
    row, = (job for job in listing() if job["handler"] == NAME)
    return row


def make_due(number: int) -> None:
    """Let a job's time have come."""
    with engine.write() as connection:
        connection.execute(update(models.jobs).where(models.jobs.c.id == number).values(due=0.0))


def run_download() -> dict[str, Any]:
    """Run the download as if its time had come; return what became of it."""
    number = waiting()["id"]
    make_due(number)
    jobs.run(number)
    return waiting()


def run_others(*names: str) -> None:
    """Run the jobs that make maps, or others, and those that they submit."""
    wanted = {f"gwbroker.tasks.skymaps.{name}" for name in names or ("localize",)}
    while left := [job["id"] for job in listing()
                   if job["state"] not in ("done", "dead") and job["handler"] in wanted]:
        for number in left:
            make_due(number)
            jobs.run(number)


def event() -> dict[str, Any]:
    """Return the event."""
    with engine.read() as connection:
        number = events.search(connection, "GRB 1")
        assert number is not None
        return events.listing(connection, number=number)[0]


def test_a_map_that_is_not_there_yet_is_waited_for_and_then_stands(
    port: int, healpix: bytes,
) -> None:
    record(port, "/current.fit", "/quicklook.fit")
    run_others()
    assert event()["facts"]["ra"] == pytest.approx(10, abs=0.5)
    first = waiting()
    assert first["state"] == "pending"
    assert first["due"] - first["created"] == pytest.approx(downloads.FIRST, abs=1)
    for tries in (1, 2, 3):
        row = run_download()
        assert (row["state"], row["attempts"]) == ("pending", tries)
        assert "is answered with status 404" in row["error"]
        assert row["due"] > row["started"] + downloads.BACKOFF / 2, "no worker waits"
    Heasarc.files["/quicklook.fit"] = healpix
    assert run_download()["state"] == "done"
    run_others("localize", "plot")
    row = event()
    assert (row["facts"]["ra"], row["facts"]["dec"]) == pytest.approx((80, 40), abs=3)
    kinds = {product["kind"]: product for product in row["products"]}
    assert {"skymap", "summary", "allsky", "download"} <= set(kinds)
    assert (products.folder() / kinds["download"]["path"]).read_bytes() == healpix
    standing = fits.read(products.folder() / kinds["skymap"]["path"])
    assert standing.probdensity[standing.find(80, 40)] > 1
    said = json.loads((products.folder() / kinds["summary"]["path"]).read_text())["provenance"]
    assert f"https://{HOST}:{port}/quicklook.fit" in said.values()
    assert not [job for job in listing() if job["state"] == "dead"]


def test_the_pictures_are_those_of_the_downloaded_map(port: int, healpix: bytes) -> None:
    record(port, "/current.fit")
    run_others("localize", "plot")
    before = {p["kind"]: p["sha256"] for p in event()["products"]}
    Heasarc.files["/current.fit"] = healpix
    run_download()
    run_others("localize", "plot")
    after = {p["kind"]: p["sha256"] for p in event()["products"]}
    assert after["allsky"] != before["allsky"]


def test_the_best_map_comes_first(port: int, healpix: bytes) -> None:
    Heasarc.files.update({"/current.fit": healpix, "/quicklook.fit": b"SIMPLE  = other"})
    record(port, "/current.fit", "/quicklook.fit")
    assert run_download()["state"] == "done"
    assert Heasarc.asked == ["/current.fit"]


@pytest.mark.parametrize("garbage", [
    b"<html>We are sorry</html>", b"", b"SIMPLE  = nonsense", b"\x1f\x8bgarbage", None])
def test_what_is_no_map_is_not_taken_and_tried_again(
    port: int, healpix: bytes, garbage: bytes | None,
) -> None:
    record(port, "/current.fit")
    # None: a file that the archive is still writing.
    Heasarc.files["/current.fit"] = healpix[:50_000] if garbage is None else garbage
    row = run_download()
    assert row["state"] == "pending"
    assert "is no sky map" in row["error"]
    assert not list(products.folder().rglob("*download*"))
    Heasarc.files["/current.fit"] = healpix
    assert run_download()["state"] == "done"


def test_four_gigabytes_are_not_fetched(port: int) -> None:
    Heasarc.files["/large.fit"] = b"SIMPLE  ="
    record(port, "/large.fit")
    row = run_download()
    assert row["state"] == "dead"
    assert "has 4294967296 bytes, more than" in row["error"]


def test_a_small_file_that_inflates_without_end_is_not_taken(port: int) -> None:
    Heasarc.files["/bomb.fit"] = gzip.compress(b"SIMPLE  =" + bytes(130 << 20), 1)
    record(port, "/bomb.fit")
    row = run_download()
    assert row["state"] == "pending"
    assert "is larger than 134217728 bytes after decompression" in row["error"]
    assert not list(products.folder().rglob("*download*"))


def test_of_a_host_that_is_not_allowed_nothing_is_asked(port: int) -> None:
    record(port, "/current.fit", host="evil.example.org")
    assert not [job for job in listing() if job["handler"] == NAME]
    assert Heasarc.asked == []


def test_a_host_that_is_no_longer_allowed_ends_the_waiting(
    port: int, environment: pytest.MonkeyPatch,
) -> None:
    record(port, "/current.fit")
    environment.setenv("GWBROKER_FETCH_HOSTS", "gcn.nasa.gov")
    settings.cache_clear()
    row = run_download()
    assert row["state"] == "dead"
    assert "is not in fetch_hosts" in row["error"]


def test_a_notice_that_comes_twice_asks_once(port: int, healpix: bytes) -> None:
    Heasarc.files["/current.fit"] = healpix
    number = record(port, "/current.fit")
    event_tasks.record(Notice(b"{}", topic="replay", id=1), Report(
        "grb", "GRB 1", ("test:1",), maps=(f"https://{HOST}:{port}/current.fit",)))
    assert run_download()["state"] == "done"
    args = waiting()["args"]
    downloads.download(*args)
    assert args[0] == number
    made = [job for job in listing() if job["handler"].endswith("skymaps.localize")]
    assert len(made) == 2, "one for the cone, one for the map"


def test_a_replay_fetches_nothing_again(
    port: int, healpix: bytes, monkeypatch: pytest.MonkeyPatch,
) -> None:
    Heasarc.files["/current.fit"] = healpix
    record(port, "/current.fit")
    assert run_download()["state"] == "done"
    run_others()
    before = event()
    claim = Claim(1, "handler", "events", (), 1, "here", priority=1, replay="again")
    with monkeypatch.context() as replaying:
        replaying.setattr(running, "_running", running.Running(claim, jobs.send))
        event_tasks.record(Notice(b"{}", topic="replay", id=1), Report(
            "grb", "GRB 1", ("test:1",), localization=Cone(10.0, 20.0, 3.0, 0.9),
            maps=(f"https://{HOST}:{port}/current.fit",)))
    assert waiting()["state"] == "done"
    run_others()
    after = event()
    assert Heasarc.asked == ["/current.fit"]
    # The map that was fetched still stands, and not the one of the position.
    assert after["facts"]["ra"] == before["facts"]["ra"] == pytest.approx(80, abs=3)
    assert {p["path"]: p["sha256"] for p in after["products"]} == {
        p["path"]: p["sha256"] for p in before["products"]}


def test_of_an_event_that_was_retracted_meanwhile_no_map_is_fetched(
    port: int, healpix: bytes,
) -> None:
    Heasarc.files["/current.fit"] = healpix
    number = record(port, "/current.fit")
    with engine.write() as connection:
        events.change(connection, number, {"state": "retracted"})
    assert run_download()["state"] == "done"
    assert Heasarc.asked == []
    assert not list(products.folder().rglob("*download*"))


def test_of_many_maps_that_are_due_at_once_a_few_are_fetched_and_others_wait_for_no_worker(
    port: int, healpix: bytes,
) -> None:
    Heasarc.files["/current.fit"] = healpix
    for number in range(1, downloads.AT_ONCE + 2):
        record(port, "/current.fit", number=number)
    *others, last = (job["id"] for job in listing() if job["handler"] == NAME)
    with engine.write() as connection:
        connection.execute(update(models.jobs).where(models.jobs.c.id.in_(others)).values(
            state="running", lease_until=time.time() + 3600))
    for state in ("pending", "done"):
        make_due(last)
        jobs.run(last)
        row = next(job for job in listing() if job["id"] == last)
        assert row["state"] == state
        assert Heasarc.asked == ([] if state == "pending" else ["/current.fit"])
        with engine.write() as connection:
            connection.execute(update(models.jobs).where(
                models.jobs.c.id == others[0]).values(state="done"))


def test_a_download_killed_half_way_leaves_nothing_and_is_done_again(
    port: int, healpix: bytes,
) -> None:
    Heasarc.files["/slow.fit"] = healpix
    record(port, "/slow.fit")
    number = waiting()["id"]
    make_due(number)
    engine.dispose()
    worker = multiprocessing.get_context("fork").Process(target=jobs.run, args=(number,))
    worker.start()
    assert Heasarc.stalled.wait(20)
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
    assert waiting()["state"] == "running"
    assert not list(products.folder().rglob("*download*"))
    with engine.write() as connection:
        connection.execute(update(models.jobs).values(lease_until=-1.0))
    jobs.sweep(())
    assert waiting()["state"] != "running"
    assert run_download()["state"] == "done"
    run_others()
    assert event()["facts"]["ra"] == pytest.approx(80, abs=3)


def test_the_tries_go_on_for_about_a_day() -> None:
    known = callee(NAME)
    pauses = [known.pause(attempt) for attempt in range(1, known.retries + 1)]
    assert 20 < (downloads.FIRST + sum(pauses)) / 3600 < 32
    assert pauses[0] <= downloads.BACKOFF
    assert known.queue == "general"


def test_a_downloaded_map_survives_the_way_through_a_job() -> None:
    where = Downloaded("000001-x/00000001-download.fits", f"https://{HOST}/x", "ab" * 32)
    assert unpack(json.loads(json.dumps(pack(where)))) == where


def test_a_product_that_was_deleted_is_a_flag_on_the_event(port: int, healpix: bytes) -> None:
    Heasarc.files["/current.fit"] = healpix
    record(port, "/current.fit")
    assert run_download()["state"] == "done"
    for file in products.folder().rglob("*download*"):
        file.unlink()
    run_others()
    dead = [job["error"] for job in listing() if job["state"] == "dead"]
    assert any("current.fit" in error or "cannot be read" in error for error in dead)


def test_every_url_of_fermi_is_permitted() -> None:
    from gwbroker.handlers.fermi_gbm import maps

    found = maps([None, f"http://{HOST}/FTP/fermi/data/gbm/triggers/2018/bn180116026/quicklook/x"])
    assert [permitted(url).hostname for url in found] == [HOST, HOST]
    assert found[0].endswith("/2018/bn180116026/current/glg_healpix_all_bn180116026_v00.fit")
    assert skymaps.localize
