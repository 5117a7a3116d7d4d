"""Handlers are found by themselves, and asked for what they want."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gwbroker import dispatch
from gwbroker.conf import settings
from gwbroker.errors import HandlerError
from gwbroker.jobs import callees
from gwbroker.notice import Notice

Install = Callable[..., Path]

ONE = '''
from gwbroker.streams import kafka
@kafka.handler("a.topic")
def on_a(notice): pass
'''


def chosen(notice: Notice) -> dict[str, str | None]:
    """Return which of the test's own handlers want a notice, with the reason if that is open."""
    return {c.registration.name: c.error for c in dispatch.choose(notice)
            if not c.registration.name.startswith("gwbroker.")}


def use(environment: pytest.MonkeyPatch, *places: object) -> None:
    """Set where handlers are looked for."""
    environment.setenv("GWBROKER_HANDLERS", ",".join(map(str, places)))
    settings.cache_clear()
    dispatch.forget()


def test_built_in_handlers_are_there_and_have_topics_and_tasks():
    table = dispatch.load()
    assert len(table) > 10
    assert {"igwn.gwalert", "gcn.heartbeat", "gcn.circulars"} <= dispatch.topics()
    assert set(table) <= set(callees)


def test_a_folder_is_read_file_by_file_but_not_its_tests(handlers: Install, environment):
    folder = handlers(ONE).parent
    (folder / "_private.py").write_text("raise RuntimeError")
    (folder / "test_mine.py").write_text("raise RuntimeError")
    (folder / "conftest.py").write_text("raise RuntimeError")
    (folder / "notes.txt").write_text("not Python")
    use(environment, folder)
    assert "mine.on_a" in dispatch.load()
    assert chosen(Notice(b"{}", topic="a.topic")) == {"mine.on_a": None}
    assert chosen(Notice(b"{}", topic="b.topic")) == {}
    assert "a.topic" in dispatch.topics()


def test_a_single_file_may_be_named(handlers: Install, environment):
    path = handlers(ONE)
    use(environment, path)
    assert "mine.on_a" in dispatch.load()


def test_a_module_is_found_with_its_submodules(handlers: Install, environment):
    folder = handlers("").parent
    package = folder / "gwtestpackage"
    (package / "inner").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "inner" / "__init__.py").write_text("")
    (package / "inner" / "deep.py").write_text(ONE)
    (package / "test_deep.py").write_text("raise RuntimeError")
    environment.syspath_prepend(folder)
    use(environment, "gwtestpackage")
    assert "gwtestpackage.inner.deep.on_a" in dispatch.load()


def test_an_installed_package_is_found_by_its_entry_point(handlers: Install, environment):
    folder = handlers("").parent
    (folder / "gwtestplugin.py").write_text(ONE)
    info = folder / "gwtestplugin-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: gwtestplugin\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[gwbroker.handlers]\nx = gwtestplugin\n")
    environment.syspath_prepend(folder)
    use(environment)
    assert "gwtestplugin.on_a" in dispatch.load()


def test_a_second_load_does_nothing(handlers: Install):
    path = handlers(ONE)
    dispatch.load()
    path.write_text("raise RuntimeError")
    dispatch.load()


def test_two_files_of_one_name_are_both_loaded(handlers: Install, environment, tmp_path):
    first = handlers(ONE)
    second = first.parent / "deeper" / "mine.py"
    second.parent.mkdir()
    second.write_text(ONE.replace("on_a", "on_b"))
    use(environment, first, second)
    table = dispatch.load()
    assert any(name.endswith("on_b") for name in table)
    assert "mine.on_a" in table


def test_two_handlers_of_one_name_are_refused_with_both_places(handlers: Install):
    path = handlers(ONE + ONE.replace("a.topic", "b.topic"))
    with pytest.raises(HandlerError, match="declared twice") as caught:
        dispatch.load()
    assert str(caught.value).count(str(path)) == 2


def test_a_handler_may_not_take_the_name_of_a_task(handlers: Install):
    import gwbroker.tasks.skymaps  # noqa: F401

    handlers(ONE.replace('"a.topic"', '"a.topic", name="gwbroker.tasks.skymaps.localize"'))
    with pytest.raises(HandlerError, match="the name is taken"):
        dispatch.load()


@pytest.mark.parametrize(("text", "words"), [
    ("import no_such_module", ["ModuleNotFoundError", "no_such_module", "mine.py:1"]),
    ("x = 1\n1 / 0", ["ZeroDivisionError", "mine.py:2"]),
    ("def (:", ["SyntaxError"]),
])
def test_a_broken_plugin_is_named_with_its_line(handlers: Install, text: str, words: list[str]):
    path = handlers(text)
    with pytest.raises(HandlerError) as caught:
        dispatch.load()
    assert all(word in str(caught.value) for word in [*words, str(path.parent)])
    assert "GWBROKER_HANDLERS" in str(caught.value)


def test_a_place_that_is_not_there_is_named(environment, tmp_path):
    for place in (tmp_path / "none", tmp_path / "none.py", "no_such_package.handlers"):
        use(environment, place)
        with pytest.raises(HandlerError) as caught:
            dispatch.load()
        assert str(place) in str(caught.value)
    dispatch.forget()


def test_a_command_stops_with_exit_code_2_for_a_broken_plugin(handlers: Install):
    handlers("1 / 0")
    done = subprocess.run([sys.executable, "-m", "gwbroker", "handlers"], capture_output=True,
                          text=True, env=dict(os.environ), timeout=60, check=False)
    assert done.returncode == 2
    assert "mine.py:1" in done.stderr
    assert "Traceback" not in done.stderr


def test_where_chooses_by_the_parsed_alert(handlers: Install):
    handlers(ONE.replace('"a.topic"', '"a.topic", where=lambda m: m["far"] < 1e-8'))
    assert chosen(Notice(b'{"far": 1e-9}', topic="a.topic")) == {"mine.on_a": None}
    assert chosen(Notice(b'{"far": 1}', topic="a.topic")) == {}


def test_a_where_that_raises_is_its_handlers_error_and_no_one_elses(handlers: Install):
    handlers(ONE.replace('"a.topic"', '"a.topic", where=lambda m: m["far"] < 1e-8')
             + ONE.replace("on_a", "on_b"))
    assert chosen(Notice(b"{}", topic="a.topic")) == {
        "mine.on_a": "its where= failed with KeyError: 'far'", "mine.on_b": None}


def test_a_message_that_cannot_be_read_is_one_choice_with_the_reason(handlers: Install):
    handlers(ONE.replace('"a.topic"', '"a.topic", where=lambda m: True')
             + ONE.replace("on_a", "on_b"))
    found = chosen(Notice(b"{", topic="a.topic"))
    assert found["mine.on_b"] is None
    assert "not JSON" in str(found["mine.on_a"])


@pytest.mark.parametrize("payload", [b"", b"<", b"{", b"\xff", b"[" * 100_000, b"null"])
@pytest.mark.parametrize("topic", [
    "voevent", "igwn.gwalert", "gcn.circulars", "gcn.heartbeat", "nobody.asked",
    "gcn.notices.einstein_probe.wxt.alert", "gcn.classic.voevent.FERMI_GBM_FIN_POS"])
def test_choosing_never_raises_for_what_is_in_a_message(payload: bytes, topic: str):
    for choice in dispatch.choose(Notice(payload, topic=topic)):
        assert choice.error is None or choice.error
