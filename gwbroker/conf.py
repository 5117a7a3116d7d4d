"""Every setting, documented; read once, never written at run time.

The environment (``GWBROKER_*``) wins over the TOML file, which wins over the defaults.
The file is the one that ``GWBROKER_CONFIG`` names, or ``./gwbroker.toml``, or
``gwbroker.toml`` in the user's config folder.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from platformdirs import user_config_path, user_data_path
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from .errors import ConfigError
from .followup import CoincidenceTable, TelescopeTable
from .masks import SECRET_WORDS, mask_url
from .sockets import redis_socket
from .sources import (
    PRESETS,
    KafkaCluster,
    VOEventBroadcaster,
    VOEventBroker,
    VOEventReceiver,
)

__all__ = [
    "PRESETS", "SECRET_WORDS", "CoincidenceTable", "KafkaCluster", "Settings", "TelescopeTable",
    "VOEventBroadcaster", "VOEventBroker", "VOEventReceiver", "config_file", "mask_url", "origins",
    "settings",
]

PREFIX = "GWBROKER_"
MiB = 1024**2


class Settings(BaseSettings):
    """Every setting of gwbroker."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True,
        hide_input_in_errors=True)

    home: Path = Field(
        default_factory=lambda: user_data_path("gwbroker"),
        description="Where the state lives: ledger, products, embedded servers.")
    broker_url: str | None = Field(
        None, repr=False, description="Redis; absent: the embedded server that `up` starts.")
    database_url: str | None = Field(
        None, repr=False, description="The ledger; absent: SQLite under home.")
    handlers: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Files, folders and modules with handlers.")
    kafka: dict[str, KafkaCluster] = Field(
        default_factory=dict, description="Kafka clusters, one table each.")
    vtp: dict[str, VOEventBroker] = Field(
        default_factory=dict, description="VOEvent TCP brokers, one table each.")
    vtp_receiver: VOEventReceiver | None = Field(
        None, description="Where authors may submit VOEvents; absent: nowhere.")
    vtp_broadcaster: VOEventBroadcaster | None = Field(
        None, description="Where subscribers may get VOEvents; absent: nowhere.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="What the processes log.")
    max_message: int = Field(
        16 * MiB, ge=1024, description="Largest message in bytes that a listener takes.")
    max_memory: int = Field(
        4096 * MiB, ge=64 * MiB,
        description="Bytes that one job may allocate before it is stopped with an error.")
    old_after: float = Field(
        900.0, gt=0,
        description="Seconds after its issue from which a message that arrives is old: its jobs "
                    "wait for those of live ones. The slowest of GCN's automatic notices come "
                    "within minutes of their data.")
    keep_heartbeats: float = Field(
        3600.0, ge=60, description="Seconds after which a heartbeat notice is forgotten.")
    stale_after: float = Field(
        120.0, gt=0, description="Seconds without a GCN heartbeat before doctor turns red.")
    flower_address: str = Field("127.0.0.1", description="Where `up` lets Flower listen.")
    flower_port: int = Field(5555, ge=0, le=65535, description="And its port; 0: no Flower.")

    fetch_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        ("gracedb.ligo.org", "gcn.nasa.gov", "gcn.gsfc.nasa.gov", "heasarc.gsfc.nasa.gov",
         "roc.icecube.wisc.edu"),
        description="The only hosts from which a URL in a notice may be fetched.")

    catalogues: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Catalogues of galaxies (`gwbroker catalogue list`) that are ranked for "
                        "each map: names, or folders.")
    sites: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Sites for which is worked out how much of a map they see tonight: known "
                        "names, as paranal, or longitude, latitude and height, as `-70.4 -24.6 "
                        "2635`.")
    coincidences: tuple[CoincidenceTable, ...] = Field(
        (), description="Pairs of kinds of events to compare, beside those that are known; they "
                        "come first.")
    telescopes: dict[str, TelescopeTable] = Field(
        default_factory=dict, description="Telescopes that get a plan for each map, one table "
                                          "each.")

    @field_validator("handlers", "fetch_hosts", "catalogues", "sites", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            if value.lstrip().startswith("["):
                return json.loads(value)
            return [part.strip() for part in value.replace(os.pathsep, ",").split(",")
                    if part.strip()]
        return value

    @field_validator("fetch_hosts")
    @classmethod
    def _hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for host in value:
            if not re.fullmatch(r"[A-Za-z0-9.-]*[A-Za-z][A-Za-z0-9-]*", host):
                raise ValueError(f"{host!r} is not the plain name of a host, "
                                 "as gracedb.ligo.org")
        return tuple(host.lower() for host in value)

    @field_validator("broker_url")
    @classmethod
    def _redis(cls, value: str | None) -> str | None:
        if value and not value.startswith(("redis://", "rediss://", "redis+socket://")):
            raise ValueError("is not the URL of a Redis; "
                             "accepted: redis://, rediss://, redis+socket://")
        return value

    @field_validator("database_url")
    @classmethod
    def _database(cls, value: str | None) -> str | None:
        if value and not re.match(r"(sqlite|postgres|postgresql)(\+\w+)?://", value):
            raise ValueError("is not the URL of a ledger, which can be sqlite or postgresql; "
                             "accepted: sqlite:///, postgresql://, postgres://, also with "
                             "a driver, as postgresql+psycopg://")
        return value

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource, dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        file = InitSettingsSource(settings_cls, init_kwargs=read_file(config_file()))
        return init_settings, env_settings, file

    @property
    def redis_url(self) -> str:
        """The Redis that Celery uses: the configured one, or the embedded one's socket."""
        return self.broker_url or f"redis+socket://{self.redis_socket}"

    @property
    def redis_socket(self) -> Path:
        """Unix socket of the embedded Redis."""
        return redis_socket(self.home)

    @property
    def ledger_url(self) -> str:
        """The ledger's SQLAlchemy URL."""
        url = self.database_url or f"sqlite:///{self.home / 'ledger.sqlite'}"
        for plain in ("postgresql://", "postgres://"):
            if url.startswith(plain):
                return "postgresql+psycopg://" + url.removeprefix(plain)
        if url.startswith("postgres+"):
            return "postgresql+" + url.removeprefix("postgres+")
        return url

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the configured listeners, as ``kafka.gcn``, ``kafka.gcn.2``, ``vtp.comet``."""
        ours = tuple(n for n in ("vtp_receiver", "vtp_broadcaster") if getattr(self, n))
        kafka = (name for n, c in self.kafka.items() for name in c.reader_names(f"kafka.{n}"))
        return (*kafka, *(f"vtp.{n}" for n in self.vtp), *ours)


def config_file() -> Path | None:
    """Return the TOML file in force, or None."""
    named = os.environ.get(PREFIX + "CONFIG")
    if named:
        return Path(named)
    for path in (Path("gwbroker.toml"), user_config_path("gwbroker") / "gwbroker.toml"):
        if path.is_file():
            return path.absolute()
    return None


def read_file(path: Path | None) -> dict[str, Any]:
    """Return what a settings file says; a `ConfigError` if it cannot be read."""
    if path is None:
        return {}
    try:
        with path.open("rb") as f:
            return tomllib.load(f)
    except OSError as e:
        raise ConfigError("GWBROKER_CONFIG", str(path), f"cannot be read: {e.strerror}",
                          "Name a file that exists") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise ConfigError("(whole file)", str(path), f"is not TOML: {e}",
                          "Mend that line") from None


@lru_cache
def settings() -> Settings:
    """Return the settings, read once.

    Raises
    ------
    ConfigError
        With the key, where it stands, and the accepted values.
    """
    known = set(Settings.model_fields) | {"config"}
    for name in os.environ:
        if name.startswith(PREFIX):
            top = name.removeprefix(PREFIX).split("__")[0].lower()
            if top not in known:
                raise ConfigError(name, "the environment", "is not a setting",
                                  _accepted(PREFIX + k.upper() for k in sorted(known)))
    try:
        return Settings()
    except ValidationError as e:
        raise _explain(e) from None
    except SettingsError as e:
        raise _not_json(e) from None


def _not_json(error: SettingsError) -> ConfigError:
    return ConfigError("GWBROKER_*", "the environment", str(error),
                       "Lists and tables in the environment are written as JSON")


def _accepted(names: Any) -> str:
    return "Accepted: " + ", ".join(names)


def _explain(error: ValidationError) -> ConfigError:
    first = error.errors(include_input=False, include_url=False)[0]
    location = tuple(str(part) for part in first["loc"])
    key = ".".join(location)
    origin = origins().get(key) or next(
        (o for k, o in origins().items() if k.startswith(key + ".") or key.startswith(k + ".")),
        str(config_file() or "the environment"))
    problem = first["msg"].removeprefix("Value error, ")
    remedy = "See `gwbroker config --describe`"
    model: Any = Settings
    if first["type"] == "extra_forbidden":
        problem = "is not a setting"
        models = {"kafka": KafkaCluster, "vtp": VOEventBroker, "telescopes": TelescopeTable,
                  "coincidences": CoincidenceTable,
                  "vtp_receiver": VOEventReceiver, "vtp_broadcaster": VOEventBroadcaster}
        if len(location) > 1 and location[0] in models:
            model = models[location[0]]
        remedy = _accepted(sorted(model.model_fields))
    elif first["type"] == "literal_error":
        remedy = _accepted([first.get("ctx", {}).get("expected", "")])
        problem = "is not an accepted value"
    elif first["type"] == "missing":
        problem = "is missing"
    return ConfigError(key, origin, problem, remedy)


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of nested tables by their dotted names."""
    for key, value in values.items():
        name = f"{prefix}{key}".lower() if not prefix else f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            yield from flatten(value, name + ".")
        else:
            yield name, value


def origins() -> dict[str, str]:
    """Return where each setting that is set was set, by its dotted name."""
    file = config_file()
    found = {key: str(file) for key, _ in flatten(read_file(file))}
    environment = EnvSettingsSource(Settings, env_prefix=PREFIX, env_nested_delimiter="__")
    try:
        from_environment = environment()
    except SettingsError as e:
        raise _not_json(e) from None
    for key, _ in flatten(from_environment):
        found[key] = "environment " + PREFIX + key.upper().replace(".", "__")
    return found
