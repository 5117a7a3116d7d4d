"""Our own VOEvent broker: a receiver for authors and a broadcaster, each an eternal task."""

from __future__ import annotations

from collections.abc import Sequence

from ..conf import VOEventBroadcaster, VOEventReceiver, settings
from ..intake import accept
from ..ledger import broadcasts
from ..ledger.engine import read
from . import vtp_broadcaster, vtp_receiver
from .listener import Listener, app, task_name
from .vtp_broadcaster import Broadcaster
from .vtp_feed import Feed
from .vtp_receiver import Receiver


def known(identifiers: Sequence[str]) -> dict[str, set[bytes]]:
    """Return the SHA-256 of the packets that authors have submitted under these ivorns."""
    with read() as connection:
        return broadcasts.digests(connection, vtp_receiver.SOURCE, identifiers)


def _receive(options: VOEventReceiver) -> None:
    def listen(self: Listener) -> None:
        """Take VOEvents from authors."""
        server = Receiver(
            options.where, accept, known, self.is_aborted, options.ivorn,
            whitelist=options.networks, max_message=options.max_message,
            max_connections=options.max_connections, max_per_peer=options.max_per_peer,
            timeout=options.timeout)
        server.opened = lambda: self.say(f"listening on {options.address}")
        server.run()

    app.task(listen, base=Listener, bind=True, name=task_name(vtp_receiver.SOURCE), shared=False)


def _broadcast(options: VOEventBroadcaster) -> None:
    def listen(self: Listener) -> None:
        """Send VOEvents on to subscribers."""
        feed = Feed(vtp_broadcaster.SOURCE, options.sources, options.max_age)
        server = Broadcaster(
            options.where, feed, self.is_aborted, options.ivorn, whitelist=options.networks,
            max_connections=options.max_subscribers, max_per_peer=options.max_per_peer,
            max_unsent=options.max_unsent, interval=options.iamalive,
            max_outstanding=options.max_outstanding, max_filters=options.max_filters,
            resume=options.resume)
        server.opened = lambda: self.say(f"listening on {options.address}")
        server.run()

    app.task(listen, base=Listener, bind=True, name=task_name(vtp_broadcaster.SOURCE),
             shared=False)


_receiver, _broadcaster = settings().vtp_receiver, settings().vtp_broadcaster
if _receiver is not None:
    _receive(_receiver)
if _broadcaster is not None:
    _broadcast(_broadcaster)
