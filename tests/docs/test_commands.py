"""What README and docs tell the reader to type and to write does what they say."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from gwbroker import cli, conf, jobs
from gwbroker.errors import NoticeError
from gwbroker.samples import load
from gwbroker.streams.registry import registrations

from .snippets import PAGES, ROOT, Command, Snippet, commands, snippets

ANY = (0, 1, 2, 3, 4)
RUN = {
    # What a command of a page may exit with, and only here: without Redis doctor is critical.
    "gwbroker doctor": ANY, "gwbroker replay --here recorded": (0, 1),
    # No such source or topic is here.
    "gwbroker replay --source gcn": (2,), "gwbroker replay --kafka": (2,),
    "gwbroker replay --topic igwn.gwalert --partition": (2,),
}
NOT_RUN = re.compile(
    # They block, need a network, a pool, a server, or change the machine.
    r"(?:[A-Z_]+=\S+ )*gwbroker (up|demo|worker|beat|flower|status|condor|inspect|control)\b"
    r"|export GWBROKER_CONFIG=/|git |make\b|pip |python -m pip|createuser|createdb|psql|pg_dump"
    r"|cd |\. |\.venv/bin/|condor_|ssh |systemctl|python -m pytest|sudo |chmod |curl ")
NEEDED = ("sqlite3",)
"""Programs that a machine may lack; a command with one is then left out."""

BASH = shutil.which("bash")


def is_run(command: Command) -> bool:
    """Tell whether a command is run here, or only looked at."""
    words = shlex.split(command.text)
    lacking = [w for w in words[:1] if w in NEEDED and shutil.which(w) is None]
    # etc/ is about the machines of a pool.
    return not NOT_RUN.match(command.text) and not lacking \
        and not command.snippet.page.startswith("etc/")


def by_page() -> dict[str, list[Command]]:
    """Return the commands that are run, by page."""
    found: dict[str, list[Command]] = {}
    for command in commands():
        if is_run(command):
            found.setdefault(command.snippet.page, []).append(command)
    return found


def clean_environment(folder: Path) -> dict[str, str]:
    """Return an environment in which nothing is the user's."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("GWBROKER_")}
    return {**kept, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "COLUMNS": "100", "NO_COLOR": "1"}


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which an event, its products and a dead job are, as the pages assume."""
    folder = tmp_path_factory.mktemp("lived-in")
    messages = {sample.file: sample for sample in load()}
    # Job 1 is dead, and belongs to notice 1.
    (folder / "bad.json").write_bytes(messages["bad-truncated.json"].payload())
    (folder / "good.json").write_bytes(messages["gw190814-initial.json"].payload())
    environment = clean_environment(folder) | {"GWBROKER_HOME": str(folder / "state")}
    for name, topic in (("bad.json", messages["bad-truncated.json"].topic),
                        ("good.json", "igwn.gwalert")):
        subprocess.run([sys.executable, "-m", "gwbroker", "replay", "--here", "--topic", topic,
                        name], cwd=folder, env=environment, check=False, capture_output=True,
                       timeout=300)
    return folder / "state"


def prepare(page: str, folder: Path, lived_in: Path) -> None:
    """Make the working folder that a page's reader has."""
    shutil.copytree(lived_in, folder / "state")
    (folder / "config").mkdir()
    (folder / "recorded").mkdir()
    samples = {sample.file: sample for sample in load()}
    (folder / "alert.json").write_bytes(samples["gw190814-initial.json"].payload())
    (folder / "recorded" / "one.xml").write_bytes(
        samples["grb170817a-fermi-ground.xml"].payload())
    hello = next(s for s in snippets("python") if s.caption == "handlers/hello.py")
    for snippet in [hello, *(s for s in snippets("python", "toml", "json") if s.page == page)]:
        # A relative caption is a file that the reader makes; others are shown for their place.
        if snippet.caption and not snippet.caption.startswith("/"):
            file = folder / snippet.caption
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(snippet.text)
    (folder / "hello.json").write_text('{"name": "Vera"}')


def run_together(script: str, environment: dict[str, str], seconds: float) -> str:
    """Run a script; return what it wrote to its standard error, and leave no process behind."""
    # A session of its own, so that a command that goes on for ever is found and ended.
    with subprocess.Popen([str(BASH), "-c", script], env=environment, text=True, errors="replace",
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, start_new_session=True) as shell:
        try:
            return shell.communicate(timeout=seconds)[1]
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)


@pytest.mark.skipif(BASH is None, reason="bash is not installed")
@pytest.mark.timeout(1000)
@pytest.mark.parametrize("page", sorted(by_page()))
def test_every_command_of_a_page_runs(page: str, tmp_path: Path, lived_in: Path) -> None:
    prepare(page, tmp_path, lived_in)
    script, wanted = ["cd " + shlex.quote(str(tmp_path))], []
    seen: set[str] = set()
    for command in by_page()[page]:
        if command.text in seen:
            continue
        seen.add(command.text)
        expected = next((v for k, v in RUN.items() if command.text.startswith(k)), (0,))
        wanted.append((command, expected))
        # One shell for the page: what is exported stays so.
        script += [command.text, 'printf "\\036%d\\n" $? >&2']
    environment = clean_environment(tmp_path)
    environment["GWBROKER_HOME"] = str(tmp_path / "state")
    # A minute for the longest page, but many times that where processors are scarce.
    said = run_together("\n".join(script), environment, 600)
    parts = re.split("\036(\\d+)\n", said)
    errors, codes = parts[0::2], parts[1::2]
    assert len(codes) == len(wanted), said
    for (command, expected), code, error in zip(wanted, codes, errors, strict=False):
        where = f"{command.snippet.place}: $ {command.text}\n{error}"
        assert int(code) in expected, where
        assert "Traceback" not in error, where
        assert "Warning" not in error, where


def click_command(words: list[str]) -> tuple[click.Command, list[str]]:
    """Return the innermost command that words name, and the words that are left."""
    context = click.Context(cli.gwbroker, info_name="gwbroker")
    found: click.Command = cli.gwbroker
    while isinstance(found, click.Group) and words and not words[0].startswith("-"):
        inner = found.get_command(context, words[0])
        assert inner is not None, f"there is no command {words[0]}"
        found, words = inner, words[1:]
        context = click.Context(found, parent=context, info_name=words[0] if words else "")
    return found, words


def options_of(command: click.Command) -> set[str]:
    """Return the options that a command takes."""
    from celery.bin.worker import worker as celery_worker

    params = [*command.params, *(celery_worker.params if command.name == "worker" else ())]
    return {"--help", "-h"} | {
        option for param in params if isinstance(param, click.Option)
        for option in (*param.opts, *param.secondary_opts)}


def segments(text: str) -> Iterator[list[str]]:
    """Yield the words of each call of gwbroker in a line of shell."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    parts: list[list[str]] = [[]]
    for word in lexer:
        if set(word) <= set("();<>|&"):
            parts.append([])
        elif parts[-1] or not re.match(r"[A-Z_]+=", word):
            parts[-1].append(word)
    yield from (words[1:] for words in parts if words and words[0] == "gwbroker")


@pytest.mark.parametrize("command", list(commands()), ids=lambda c: f"{c.snippet.place} {c.text}")
def test_every_command_and_its_options_exist(command: Command) -> None:
    assert shlex.split(command.text.replace("<", "").replace(">", ""))
    for words in segments(command.text):
        found, left = click_command(words)
        for word in left:
            if word.startswith("--"):
                assert word.partition("=")[0] in options_of(found), f"{found.name}: {word}"
    if command.text.startswith("make "):
        target = command.text.split()[1]
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for extra in re.findall(r"gwbroker\[(\w+)\]", command.text):
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        assert extra in project["optional-dependencies"]


def in_test_folder(text: str, folder: Path) -> str:
    """Return a settings snippet with files under /etc replaced by ones that exist."""
    def replace(match: re.Match[str]) -> str:
        file = folder / Path(match[2]).name
        file.write_text("not a secret")
        file.chmod(0o600)
        return f'{match[1]}"{file}"'

    return re.sub(r'((?:client_secret|password|ca)_file *= *)"([^"]+)"', replace, text)


@pytest.mark.parametrize("snippet", snippets("toml"), ids=lambda s: s.place)
def test_every_settings_snippet_is_accepted(
    snippet: Snippet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    if snippet.caption == "pyproject.toml":
        assert tomllib.loads(snippet.text)["project"]["entry-points"]["gwbroker.handlers"]
        return
    file = tmp_path / "gwbroker.toml"
    file.write_text(in_test_folder(snippet.text, tmp_path))
    for name in [n for n in os.environ if n.startswith("GWBROKER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GWBROKER_CONFIG", str(file))
    conf.settings.cache_clear()
    try:
        assert conf.settings()
        assert str(file) in conf.origins().values()
    finally:
        conf.settings.cache_clear()


@pytest.fixture
def empty_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Handlers and tasks that a test declares are forgotten after it."""
    monkeypatch.setattr(jobs, "callees", dict(jobs.callees))
    before = dict(registrations)
    registrations.clear()
    yield
    registrations.clear()
    registrations.update(before)


@pytest.mark.usefixtures("empty_tables")
@pytest.mark.parametrize("snippet", snippets("python"), ids=lambda s: s.place)
def test_every_python_snippet_can_be_executed_and_registers_its_handlers(snippet: Snippet) -> None:
    module = types.ModuleType("docs_" + re.sub(r"\W", "_", snippet.place))
    exec(compile(snippet.text, snippet.place, "exec"), module.__dict__)
    assert len(registrations) == len(re.findall(r"^@\w+\.handler\(", snippet.text, re.MULTILINE))
    for name, value in vars(module).items():
        if name.startswith("test_"):
            value()


@pytest.mark.usefixtures("empty_tables")
def test_the_handler_that_refuses_names_field_and_value() -> None:
    from gwbroker.notice import Notice

    (snippet,) = (s for s in snippets("python") if "my.telescope.pointing" in s.text)
    space: dict[str, Any] = {"__name__": "docs_refuses"}
    exec(snippet.text, space)
    with pytest.raises(NoticeError, match=r"ra: .*400"):
        space["on_pointing"](Notice(b'{"ra": 400}'))


@pytest.mark.parametrize(("command", "section"), [
    ("notices", "A notice"), ("jobs", "A job"), ("events", "An event"),
    ("handlers", "A handler"),
])
def test_every_field_of_json_output_is_documented(
    command: str, section: str, lived_in: Path, tmp_path: Path,
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gwbroker", command, "--json"], cwd=tmp_path, text=True,
        env=clean_environment(tmp_path) | {"GWBROKER_HOME": str(lived_in)},
        capture_output=True, check=True, timeout=240)
    page = (ROOT / "docs/reference/json.rst").read_text()
    text = page.partition(f"{section}\n---")[2].partition("\n---")[0]
    fields = {key for row in json.loads(done.stdout) for key in row}
    assert fields
    assert sorted(f for f in fields if f"``{f}``" not in text) == []


def test_every_line_of_doctor_is_explained() -> None:
    page = (ROOT / "docs/howto/operate.rst").read_text()
    source = (ROOT / "gwbroker/health.py").read_text()
    checks = set(re.findall(r'Finding\(\s*f?"([^"{]+)"', source))
    checks |= {f"worker {queue}" for queue in ("general", "listeners", "openmp", "events")}
    assert len(checks) > 8
    assert sorted(c for c in checks if f"``{c}``" not in page) == []


def test_the_readme_lists_our_commands() -> None:
    text = (ROOT / "README.rst").read_text()
    assert [name for name in cli.OURS if f"``gwbroker {name}``" not in text] == []


def test_pages_name_files_that_exist() -> None:
    named = re.compile(r"``((?:docs|examples|etc|gwbroker|tests)/[\w./-]+\w/?)``")
    missing = [f"{page.name}: {name}" for page in PAGES for name in named.findall(page.read_text())
               if "NAME" not in name and not (ROOT / name).exists()]
    assert missing == []
