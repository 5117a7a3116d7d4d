"""The sources in the settings: one table per Kafka cluster and per VOEvent TCP broker."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

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
    start: Literal["earliest", "latest"] = Field(
        "earliest", description="Where to begin on a topic never read before.")
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
        return self

    def secret(self) -> SecretStr | None:
        """Return the OIDC client secret, from the table or its file."""
        return _secret_from_file(self.client_secret, self.client_secret_file, "client_secret")

    def pass_phrase(self) -> SecretStr | None:
        """Return the SCRAM or PLAIN password, from the table or its file."""
        return _secret_from_file(self.password, self.password_file, "password")


class VOEventBroker(_Table):
    """One VOEvent TCP broker: a table ``[vtp.NAME]``."""

    address: str = Field(description="host:port; several, comma-separated, are tried in turn.")
    ivorn: str = Field("ivo://gwbroker/listener", description="How we name ourselves in replies.")
    silence: float = Field(
        150.0, gt=0, description="Seconds without a byte after which to connect anew.")

    @field_validator("address")
    @classmethod
    def _readable(cls, value: str) -> str:
        list(_addresses(value))
        return value

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """The addresses as (host, port)."""
        return tuple(_addresses(self.address))


def _addresses(value: str) -> Iterator[tuple[str, int]]:
    for part in value.split(","):
        host, _, port = part.strip().rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 65536:
            raise ValueError(f"{part.strip()!r} is not host:port (for example 127.0.0.1:8099)")
        yield host.strip("[]"), int(port)
