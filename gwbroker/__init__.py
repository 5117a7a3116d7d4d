"""gwbroker: the alert broker for multi-messenger astronomy."""

__version__ = "0.1.0"
