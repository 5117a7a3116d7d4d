"""The VOEvent TCP listeners: one eternal task per configured broker."""

from __future__ import annotations

from ..conf import VOEventBroker, settings
from ..intake import accept
from .listener import Listener, app, task_name
from .vtp_client import VTPClient
from .vtp_state import VTPState


def _add(name: str, broker: VOEventBroker) -> None:
    source = f"vtp.{name}"

    def listen(self: Listener) -> None:
        def tell(state: VTPState) -> None:
            self.say("connected" if state.connected else "not connected", state.last_error)

        VTPClient(
            broker.addresses, accept, self.is_aborted, source, broker.ivorn,
            filters=broker.filters, silence=broker.silence,
            max_message=settings().max_message, on_state=tell).run()

    listen.__doc__ = f"Listen to the VOEvent TCP broker {name}."
    app.task(listen, base=Listener, bind=True, name=task_name(source), shared=False)


for _name, _broker in settings().vtp.items():
    _add(_name, _broker)
