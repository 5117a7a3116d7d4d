"""Settings: environment over TOML over defaults; mistakes are named with their remedy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gwbroker import conf
from gwbroker.conf import Settings, settings
from gwbroker.errors import ConfigError
from gwbroker.shown import effective

pytestmark = pytest.mark.usefixtures("environment")


@pytest.fixture
def write(environment: pytest.MonkeyPatch, tmp_path: Path):
    """A function that writes the settings file in force."""

    def write(text: str) -> Path:
        path = tmp_path / "gwbroker.toml"
        path.write_text(text)
        environment.setenv("GWBROKER_CONFIG", str(path))
        settings.cache_clear()
        return path

    return write


def refused() -> ConfigError:
    """Return the error with which the settings are refused."""
    settings.cache_clear()
    with pytest.raises(ConfigError) as caught:
        settings()
    return caught.value


def config(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `gwbroker config`."""
    return subprocess.run(
        [sys.executable, "-m", "gwbroker", "config", *arguments], capture_output=True, text=True,
        env=dict(os.environ), timeout=60, check=False)


def test_without_file_and_environment_the_defaults_hold(environment, tmp_path):
    environment.delenv("GWBROKER_HOME")
    environment.setenv("XDG_DATA_HOME", str(tmp_path))
    found = settings()
    assert found.home == tmp_path / "gwbroker"
    assert found.redis_url == f"redis+socket://{found.home}/run/redis.sock"
    assert found.ledger_url == f"sqlite:///{found.home}/ledger.sqlite"
    assert (found.handlers, found.sources, conf.config_file()) == ((), (), None)


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(environment, write):
    write('log_level = "ERROR"\nmax_message = 2000000\nflower_port = 1')
    environment.setenv("GWBROKER_MAX_MESSAGE", "3000000")
    assert (settings().log_level, settings().max_message) == ("ERROR", 3_000_000)
    assert settings().max_memory == 4096 * conf.MiB


def test_the_file_is_the_named_one_or_here_or_in_the_users_folder(environment, write, tmp_path):
    environment.setenv("XDG_CONFIG_HOME", str(tmp_path / "etc"))
    (tmp_path / "etc" / "gwbroker").mkdir(parents=True)
    (tmp_path / "etc" / "gwbroker" / "gwbroker.toml").write_text("flower_port = 1")
    assert settings().flower_port == 1
    settings.cache_clear()
    Path("gwbroker.toml").write_text("flower_port = 2")
    assert settings().flower_port == 2
    write("flower_port = 3")
    assert settings().flower_port == 3


def test_the_settings_of_the_issue_are_read(environment, write, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("hush\n")
    secret.chmod(0o600)
    write(f"""
        home = "/var/lib/gwbroker"
        broker_url = "redis://127.0.0.1:6379/0"
        database_url = "postgresql://user:pass@host/db"
        handlers = ["/etc/gwbroker/handlers", "mypackage.handlers"]
        [kafka.gcn]
        preset = "gcn"
        client_id = "me"
        client_secret_file = "{secret}"
        [kafka.local]
        bootstrap_servers = "127.0.0.1:9092"
        topics = ["a", "b"]
        [vtp.comet]
        address = "127.0.0.1:8099, [::1]:8098"
    """)
    environment.delenv("GWBROKER_HOME")
    found = settings()
    assert found.home == Path("/var/lib/gwbroker")
    assert found.ledger_url == "postgresql+psycopg://user:pass@host/db"
    assert found.handlers == ("/etc/gwbroker/handlers", "mypackage.handlers")
    gcn, local = found.kafka["gcn"], found.kafka["local"]
    assert gcn.secret().get_secret_value() == "hush"
    assert (local.group_id, local.security, local.topics) == ("gwbroker", "none", ("a", "b"))
    assert found.vtp["comet"].addresses == (("127.0.0.1", 8099), ("::1", 8098))
    assert found.sources == ("kafka.gcn", "kafka.local", "vtp.comet")


@pytest.mark.parametrize(("value", "parts"), [
    ("a.b", ("a.b",)), ("/a,b.c", ("/a", "b.c")), ("/a:/b", ("/a", "/b")),
    ('["/a b", "c"]', ("/a b", "c")), ("", ()),
])
def test_handlers_in_the_environment_may_be_a_list_in_several_writings(environment, value, parts):
    environment.setenv("GWBROKER_HANDLERS", value)
    assert settings().handlers == parts


def test_tables_in_the_environment_are_json_or_single_values(environment, write):
    write('[kafka.local]\nbootstrap_servers = "a:1"\ngroup_id = "mine"')
    environment.setenv("GWBROKER_KAFKA__LOCAL__BOOTSTRAP_SERVERS", "b:2")
    assert settings().kafka["local"].bootstrap_servers == "b:2"
    assert settings().kafka["local"].group_id == "mine"
    environment.setenv("GWBROKER_VTP", '{"x": {"address": "h:1"}}')
    settings.cache_clear()
    assert settings().vtp["x"].addresses == (("h", 1),)


@pytest.mark.parametrize(("preset", "server", "security"), [
    ("gcn", "kafka.gcn.nasa.gov:9092", "oidc"),
    ("gcn-test", "kafka.test.gcn.nasa.gov:9092", "oidc"),
    ("gcn-dev", "kafka.dev.gcn.nasa.gov:9092", "oidc"),
    ("scimma", "kafka.scimma.org:9092", "scram-sha-512"),
])
def test_a_preset_fills_in_what_the_table_leaves_out(write, preset, server, security):
    write(f'[kafka.x]\npreset = "{preset}"\nclient_id = "i"\nclient_secret = "s"\n'
          'username = "u"\npassword = "p"')
    cluster = settings().kafka["x"]
    assert (cluster.bootstrap_servers, cluster.security) == (server, security)
    if security == "oidc":
        assert cluster.token_endpoint == "https://auth." + server.removeprefix(
            "kafka.").removesuffix(":9092") + "/oauth2/token"
    write(f'[kafka.x]\npreset = "{preset}"\nbootstrap_servers = "mine:1"\nsecurity = "none"')
    assert settings().kafka["x"].bootstrap_servers == "mine:1"


@pytest.mark.parametrize(("text", "key", "words"), [
    ("hom = 1", "hom", ["is not a setting", "home", "broker_url"]),
    ('log_level = "LOUD"', "log_level", ["not an accepted value", "'DEBUG'", "'ERROR'"]),
    ("max_message = 1", "max_message", ["1024"]),
    ('flower_port = "x"', "flower_port", ["integer"]),
    ('[kafka.a]\npreset = "gnc"', "kafka.a.preset", ["'gcn'", "'scimma'"]),
    ('[kafka.a]\nbootstrap = "x:1"', "kafka.a.bootstrap", ["not a setting", "bootstrap_servers"]),
    ('[kafka.a]\ngroup_id = "x"', "kafka.a", ["bootstrap_servers is missing", "gcn-test"]),
    ('[kafka.a]\nbootstrap_servers = "x:1"\nsecurity = "tls"', "kafka.a.security",
     ["'scram-sha-512'", "'oidc'"]),
    ('[kafka.a]\npreset = "gcn"\nclient_id = "x"', "kafka.a",
     ["client_secret is missing", "oidc"]),
    ('[kafka.a]\npreset = "scimma"', "kafka.a", ["username is missing", "scram-sha-512"]),
    ('[vtp.a]\naddres = "x:1"', "vtp.a", ["address"]),
    ('[vtp.a]\naddress = "x"', "vtp.a.address", ["'x' is not host:port", "127.0.0.1:8099"]),
    ('[vtp.a]\naddress = "x:99999"', "vtp.a.address", ["is not host:port"]),
])
def test_a_mistake_in_the_file_is_named_with_key_file_and_accepted_values(
    write, text, key, words,
):
    path = write(text)
    error = refused()
    assert error.key.startswith(key)
    assert error.origin == str(path)
    assert all(word in str(error) for word in words), str(error)


@pytest.mark.parametrize(("name", "value", "words"), [
    ("GWBROKER_HOEM", "x", ["GWBROKER_HOEM", "environment", "GWBROKER_HOME"]),
    ("GWBROKER_LOG_LEVEL", "LOUD", ["log_level", "environment GWBROKER_LOG_LEVEL", "'INFO'"]),
    ("GWBROKER_BROKER_URL", "amqp://me:hush@x", ["broker_url", "environment GWBROKER_BROKER_URL",
                                                 "rediss://", "redis+socket://"]),
    ("GWBROKER_DATABASE_URL", "mysql://me:hush@x", [
        "database_url", "environment GWBROKER_DATABASE_URL", "sqlite:///", "postgresql://"]),
    ("GWBROKER_KAFKA", "not json", ["environment", "JSON"]),
    ("GWBROKER_HANDLERS", '["a"', ["handlers", "environment"]),
    ("GWBROKER_KAFKA__X__NOPE", "1", ["kafka.x", "environment"]),
])
def test_a_mistake_in_the_environment_is_named_with_its_variable(environment, name, value, words):
    environment.setenv(name, value)
    error = str(refused())
    assert all(word in error for word in words), error
    assert "hush" not in error


def test_a_file_that_is_not_there_or_not_toml_is_named(environment, write, tmp_path):
    path = write("= nonsense")
    assert str(path) in str(refused())
    assert "line 1" in str(refused())
    environment.setenv("GWBROKER_CONFIG", str(tmp_path / "no.toml"))
    assert "cannot be read" in str(refused())


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_secret_file_that_others_can_read_is_refused_with_the_command(write, tmp_path, mode):
    secret = tmp_path / "secret"
    secret.write_text("hush")
    secret.chmod(mode)
    write(f'[kafka.a]\npreset = "gcn"\nclient_id = "x"\nclient_secret_file = "{secret}"')
    assert f"chmod 600 {secret}" in str(refused())
    assert "hush" not in str(refused())


def test_a_secret_file_that_is_missing_is_named(write, tmp_path):
    write(f'[kafka.a]\npreset = "scimma"\nusername = "x"\npassword_file = "{tmp_path}/none"')
    assert "none cannot be read" in str(refused())


def test_no_secret_is_ever_shown(environment, write):
    write('[kafka.a]\npreset = "gcn"\nclient_id = "me"\nclient_secret = "hush1"\n'
          'options = {"sasl.password" = "hush4"}')
    environment.setenv("GWBROKER_BROKER_URL", "redis://me:hush2@host/0")
    environment.setenv("GWBROKER_DATABASE_URL", "postgresql://me:hush3@host/db")
    shown = [config(), config("--json")]
    for done in shown:
        assert done.returncode == 0, done.stderr
        assert "hush" not in done.stdout + done.stderr
    assert "hush" not in repr(settings()) + str(settings())
    assert "hush" not in repr(effective())
    assert "redis://me:********@host/0" in shown[0].stdout
    environment.setenv("GWBROKER_KAFKA__A__SECURITY", "wrong")
    assert "hush" not in str(refused())


def test_a_password_with_odd_characters_is_masked_whole():
    assert conf.mask_url("redis://:p%40ss:w@host:1/0") == "redis://:********@host:1/0"
    assert conf.mask_url("sqlite:////a/b") == "sqlite:////a/b"
    assert conf.mask_url("redis://a@host/0") == "redis://a@host/0"


@pytest.mark.parametrize(("url", "shown"), [
    ("postgresql://h/db?password=x&a=b", "postgresql://h/db?password=********&a=b"),
    ("redis+socket:///a?sslP%61ssword=x", "redis+socket:///a?sslP%61ssword=********"),
    ("postgresql://me:x@h/db?api_token=x", "postgresql://me:********@h/db?api_token=********"),
    ("postgresql://[x", "********"),
])
def test_a_secret_among_the_parameters_is_masked_and_so_is_a_url_that_cannot_be_read(url, shown):
    assert conf.mask_url(url) == shown


def test_config_shows_each_value_and_where_it_came_from(environment, write):
    path = write('log_level = "ERROR"\n[kafka.a]\npreset = "gcn"\nclient_id = "me"\n'
                 'client_secret = "x"\n')
    done = config("--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["log_level"] == {"value": "ERROR", "from": str(path)}
    assert found["home"] == {"value": os.environ["GWBROKER_HOME"],
                             "from": "environment GWBROKER_HOME"}
    assert found["max_memory"]["from"] == "default"
    assert found["kafka.a.client_id"] == {"value": "me", "from": str(path)}
    assert found["kafka.a.bootstrap_servers"]["from"] == "preset gcn"
    assert found["kafka.a.group_id"]["from"] == "default"


def test_config_stops_with_exit_code_2_and_one_sentence(write):
    write('log_level = "LOUD"')
    done = config()
    assert done.returncode == 2
    assert "log_level" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_setting_is_described():
    done = config("--describe")
    assert done.returncode == 0
    for model in (Settings, conf.KafkaCluster, conf.VOEventBroker):
        for name, field in model.model_fields.items():
            assert field.description, name
            assert name in done.stdout


def test_a_long_home_still_gives_a_socket_that_the_system_takes(environment, tmp_path):
    environment.setenv("GWBROKER_HOME", str(tmp_path / ("x" * 120)))
    assert len(os.fsencode(settings().redis_socket)) < 100


def test_settings_cannot_be_written():
    with pytest.raises(ValueError, match="frozen"):
        settings().log_level = "DEBUG"  # type: ignore[misc]
