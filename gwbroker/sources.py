"""The sources in the settings: Kafka clusters, VOEvent brokers, and the ports of our own broker."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

Security = Literal["none", "ssl", "oidc", "scram-sha-512", "scram-sha-256", "plain"]
Preset = Literal["gcn", "gcn-test", "gcn-dev", "scimma"]


def _gcn(domain: str) -> dict[str, Any]:
    return {
        "bootstrap_servers": f"kafka.{domain}:9092",
        "security": "oidc",
        "token_endpoint": f"https://auth.{domain}/oauth2/token",
        "topic_prefixes": ("gcn.", "igwn."),
    }


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "gcn": _gcn("gcn.nasa.gov"),
    "gcn-test": _gcn("test.gcn.nasa.gov"),
    "gcn-dev": _gcn("dev.gcn.nasa.gov"),
    "scimma": {"bootstrap_servers": "kafka.scimma.org:9092", "security": "scram-sha-512"},
}
"""What each preset of a Kafka cluster fills in, where the table says nothing else."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _secret_from_file(value: SecretStr | None, file: Path | None, what: str) -> SecretStr | None:
    if value is not None or file is None:
        return value
    try:
        if file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ValueError(f"{what}_file {file} can be read by others; run `chmod 600 {file}`")
        return SecretStr(file.read_text().strip())
    except OSError as e:
        raise ValueError(f"{what}_file {file} cannot be read: {e.strerror}") from None


class KafkaCluster(_Table):
    """One Kafka cluster: a table ``[kafka.NAME]``."""

    preset: Preset | None = Field(
        None, description="Fills in servers, security and token endpoint of a known cluster.")
    bootstrap_servers: str = Field("", description="host:port, several separated by commas.")
    group_id: str = Field(
        "gwbroker", min_length=1,
        description="Under which the offsets are kept; stable, so that a restart resumes.")
    security: Security = Field("none", description="How to authenticate.")
    tls: bool = Field(True, description="Whether SCRAM, PLAIN and OIDC go over TLS.")
    client_id: str | None = Field(None, description="OIDC client id.")
    client_secret: SecretStr | None = Field(None, description="OIDC client secret.")
    client_secret_file: Path | None = Field(None, description="File that holds the secret.")
    token_endpoint: str | None = Field(None, description="URL that issues the OIDC tokens.")
    scope: str | None = Field(None, description="OIDC scope, if the cluster asks for one.")
    username: str | None = Field(None, description="SCRAM or PLAIN user.")
    password: SecretStr | None = Field(None, description="SCRAM or PLAIN password.")
    password_file: Path | None = Field(None, description="File that holds the password.")
    ca_file: Path | None = Field(None, description="CA certificates; default: certifi's.")
    topics: tuple[str, ...] = Field((), description="Topics beside those that handlers ask for.")
    topic_prefixes: tuple[str, ...] = Field(
        (), description="Of the handlers' topics take only those with these beginnings.")
    schema_registry: str | None = Field(
        None, repr=False, description="URL of the registry that has the cluster's Avro schemas.")
    start: Literal["earliest", "latest"] = Field(
        "earliest", description="Where to begin on a topic never read before.")
    readers: int = Field(
        1, ge=1, le=32,
        description="How many listeners share its partitions, each in a process of its own.")
    refresh: float = Field(
        5.0, gt=0, le=300, description="Seconds between looks for new topics and partitions.")
    options: dict[str, str | int | float | bool] = Field(
        default_factory=dict, repr=False, description="Further librdkafka options, as they are.")

    @model_validator(mode="before")
    @classmethod
    def _fill_in_preset(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("preset") in PRESETS:
            return {**PRESETS[values["preset"]], **values}
        return values

    @field_validator("schema_registry")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("is not a URL that begins with http:// or https://")
        return value

    @model_validator(mode="after")
    def _complete(self) -> KafkaCluster:
        if not self.bootstrap_servers:
            raise ValueError(
                "bootstrap_servers is missing: give host:port, or a preset "
                f"({', '.join(PRESETS)})")
        needed = {"oidc": ("client_id", "client_secret", "token_endpoint"),
                  "plain": ("username", "password"), "scram-sha-256": ("username", "password"),
                  "scram-sha-512": ("username", "password")}.get(self.security, ())
        secrets = {"client_secret": self.secret(), "password": self.pass_phrase()}
        for name in needed:
            if secrets.get(name, getattr(self, name)) is None:
                raise ValueError(f"{name} is missing; security = \"{self.security}\" needs it")
        if self.security == "oidc":
            _check_token_endpoint(self.token_endpoint or "")
        return self

    @property
    def group_looks_random(self) -> bool:
        """Whether the group_id looks like one made anew at each start, so that none resumes."""
        return re.search(r"[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}", self.group_id.lower()) \
            is not None

    def reader_names(self, source: str) -> tuple[str, ...]:
        """Return the names of its listeners: ``kafka.gcn``, then ``kafka.gcn.2`` and so on."""
        return (source, *(f"{source}.{n}" for n in range(2, self.readers + 1)))

    def secret(self) -> SecretStr | None:
        """Return the OIDC client secret, from the table or its file."""
        return _secret_from_file(self.client_secret, self.client_secret_file, "client_secret")

    def pass_phrase(self) -> SecretStr | None:
        """Return the SCRAM or PLAIN password, from the table or its file."""
        return _secret_from_file(self.password, self.password_file, "password")


def _check_token_endpoint(url: str) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        parts, host = urlsplit(""), ""
    if not host or parts.scheme not in ("http", "https"):
        raise ValueError("token_endpoint is not a URL that begins with https://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("token_endpoint must not hold a user or password; use client_id and "
                         "client_secret")
    if parts.scheme == "http" and not _is_loopback(host):
        raise ValueError("token_endpoint would send the secret unprotected; use https://")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class VOEventBroker(_Table):
    """One VOEvent TCP broker: a table ``[vtp.NAME]``."""

    address: str = Field(description="host:port; several, comma-separated, are tried in turn.")
    ivorn: str = Field("ivo://gwbroker/listener", description="How we name ourselves in replies.")
    silence: float = Field(
        150.0, gt=0, description="Seconds without a byte after which to connect anew.")
    filters: tuple[str, ...] = Field(
        (), description="XPath expressions; the broker sends only what one of them matches.")

    @field_validator("filters")
    @classmethod
    def _xpath(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            if not each.strip() or not each.isprintable():
                raise ValueError(f"{each!r} is not an XPath expression (for example //Who)")
        return value

    @field_validator("address")
    @classmethod
    def _readable(cls, value: str) -> str:
        list(_addresses(value))
        return value

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """The addresses as (host, port)."""
        return tuple(_addresses(self.address))


class _VOEventServer(_Table):
    address: str = Field(description="host:port on which it listens.")
    ivorn: str = Field("ivo://gwbroker/broker", description="How it names itself in answers.")
    whitelist: tuple[str, ...] = Field(
        ("127.0.0.0/8", "::1/128"), description="Networks that may connect.")

    @field_validator("address")
    @classmethod
    def _one(cls, value: str) -> str:
        if len(list(_addresses(value))) != 1:
            raise ValueError(f"{value!r} is not one address (for example 127.0.0.1:8098)")
        return value

    @field_validator("whitelist")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            try:
                ip_network(each, strict=False)
            except ValueError:
                raise ValueError(
                    f"{each!r} is not a network (for example 192.0.2.0/24)") from None
        return value

    @property
    def where(self) -> tuple[str, int]:
        """The address as (host, port)."""
        return next(iter(_addresses(self.address)))

    @property
    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The whitelist as networks."""
        return tuple(ip_network(each, strict=False) for each in self.whitelist)


class VOEventReceiver(_VOEventServer):
    """The port on which authors submit VOEvents: the table ``[vtp_receiver]``."""

    max_message: int = Field(
        1024 * 1024, ge=1024, description="Largest packet that an author may send, in bytes.")
    max_connections: int = Field(256, ge=1, description="Most connections at the same time.")
    max_per_peer: int = Field(64, ge=1, description="Most connections from one host.")
    timeout: float = Field(
        20.0, gt=0, description="Seconds that an author has for a packet, and we for the answer.")


class VOEventBroadcaster(_VOEventServer):
    """The port on which subscribers get VOEvents: the table ``[vtp_broadcaster]``."""

    sources: tuple[str, ...] = Field(
        ("vtp_receiver",), description="Whose notices are sent on, if they are VOEvents.")
    iamalive: float = Field(
        60.0, gt=0, description="Seconds between two signs of life to a subscriber.")
    max_subscribers: int = Field(100, ge=1, description="Most subscribers at the same time.")
    max_per_peer: int = Field(10, ge=1, description="Most subscribers on one host.")
    max_unsent: int = Field(
        16 * 1024 * 1024, ge=1024,
        description="Bytes that wait for a slow subscriber before it is dropped.")
    max_outstanding: int = Field(
        10, ge=1, description="Packets that a subscriber may leave unacknowledged.")
    max_filters: int = Field(10, ge=0, description="Most XPath filters of one subscriber.")
    max_age: float = Field(
        86400.0, gt=0, description="Seconds after which a packet is not sent any more.")
    resume: float = Field(
        120.0, ge=0, description="Seconds after a start in which whoever connects gets what "
        "was not delivered before it.")


def _addresses(value: str) -> Iterator[tuple[str, int]]:
    for part in value.split(","):
        host, _, port = part.strip().rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 65536:
            raise ValueError(f"{part.strip()!r} is not host:port (for example 127.0.0.1:8099)")
        yield host.strip("[]"), int(port)
