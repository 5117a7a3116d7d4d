"""Masks: what is shown of a text that may hold a secret."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit, urlunsplit

MASK = "********"
SECRET_WORDS = ("password", "passphrase", "secret", "token", "pem", "jaas", "oauthbearer.config")
"""What the name of a librdkafka option or of a URL's parameter has in it if it is a secret."""


def mask_url(url: str) -> str:
    """Return a URL with its password hidden, and those among its parameters."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return MASK
    scheme, slashes, rest = url.partition("://")
    if "@" in rest and parts.netloc and "@" not in parts.netloc:
        # A password with a slash or question mark in it, which ended the address too soon.
        return f"{scheme}{slashes}{MASK}@{rest.rpartition('@')[2]}"
    if parts.password:
        netloc = parts.netloc.replace(f":{parts.password}@", f":{MASK}@")
        url = urlunsplit(parts._replace(netloc=netloc))
    head, mark, query = url.partition("?")
    return head + mark + "&".join(map(_mask_parameter, query.split("&")))


def _mask_parameter(parameter: str) -> str:
    name, equals, _ = parameter.partition("=")
    return f"{name}={MASK}" if equals and names_secret(unquote(name)) else parameter


def names_secret(name: str) -> bool:
    """Tell whether what has this name is a secret."""
    return any(word in name.lower() for word in SECRET_WORDS)
