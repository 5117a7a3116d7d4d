"""What to do for which notices."""

import logging

from gwbroker import jobs, products
from gwbroker.errors import NoticeError
from gwbroker.streams import igwn, kafka

from . import sky

log = logging.getLogger(__name__)

TOPIC = "observatory.pointings"


def position(message):
    """Return right ascension and declination of a message, in degrees, or refuse it."""
    found = []
    for name, low, high in (("ra", 0, 360), ("dec", -90, 90)):
        value = message.get(name)
        if not isinstance(value, int | float) or not low <= value <= high:
            raise NoticeError(name, value, f"is not a number from {low} to {high}")
        found.append(float(value))
    return tuple(found)


@jobs.task(queue="openmp", retries=2, time_limit=600)
def visibility(number, digest, dec):
    """Store how high a position stands through the day; a task may run twice, so may this."""
    heights = [round(sky.altitude(dec, hour * 15.0, 35.0), 3) for hour in range(24)]
    products.store_json(f"visibility/{digest}.json", {"notice": number, "altitudes": heights})


@kafka.handler(TOPIC, retries=3, time_limit=60)
def on_pointing(notice):
    """Ask for the visibility of where a telescope points; the key makes it once."""
    _, dec = position(notice.json())
    jobs.submit(visibility, notice.id, notice.sha256, dec, key=f"visibility:{notice.sha256}",
                notice=notice.id)


@igwn.handler("PRELIMINARY", "INITIAL", where=lambda alert: alert.far < 1e-8)
def on_merger(notice):
    """Note a gravitational-wave alert rarer than once in three years."""
    alert = igwn.read(notice)
    log.info("%s: false-alarm rate %.2g Hz", alert.superevent_id, alert.far)
