"""What the package's own code may not do, looked for in its syntax."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import gwbroker

PACKAGE = Path(gwbroker.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

MODULES = {
    "pickle", "_pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib",
    "jsonpickle", "yaml", "telnetlib", "xml",
}
"""Modules that run what they read, or that read XML with entities."""

CALLS = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "os.execl", "os.spawnl",
    "tempfile.mktemp", "pty.spawn", "subprocess.getoutput", "subprocess.getstatusoutput",
    "ssl._create_unverified_context", "etree.parse", "etree.XML", "etree.XSLT", "etree.iterparse",
    "np.load", "numpy.load", "numpy.frompyfunc", "urllib.request.urlopen", "urlopen",
}
ARGUMENTS = {("shell", True), ("allow_pickle", True), ("verify", False), ("check_hostname", False),
             ("resolve_entities", True), ("load_dtd", True), ("huge_tree", True),
             ("no_network", False)}


def _faults(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        for name in names:
            if name.partition(".")[0] in MODULES:
                yield node.lineno, f"imports {name}"
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in CALLS:
                yield node.lineno, f"calls {called}"
            for argument in node.keywords:
                value = getattr(argument.value, "value", None)
                if (argument.arg, value) in ARGUMENTS:
                    yield node.lineno, f"says {argument.arg}={value}"
        if isinstance(node, ast.Constant) and node.value in ("pickle", "yaml", "msgpack"):
            yield node.lineno, f"names {node.value!r}"


def test_the_package_neither_unpickles_nor_runs_what_it_reads():
    found = [f"{file.relative_to(PACKAGE)}:{line}: {what}" for file in FILES
             for line, what in _faults(ast.parse(file.read_text("utf-8")))]
    assert found == []


@pytest.mark.parametrize("text", [
    "import pickle", "from pickle import loads", "eval(x)", "os.system(x)",
    "subprocess.run(x, shell=True)", "np.load(f, allow_pickle=True)", "import yaml",
    "accept_content = ['pickle']", "from xml.etree import ElementTree",
    "etree.XMLParser(resolve_entities=True)",
])
def test_the_search_finds_what_it_looks_for(text):
    assert list(_faults(ast.parse(text)))


def test_xml_of_strangers_is_parsed_in_one_place():
    parsers = {str(file.relative_to(PACKAGE)) for file in FILES
               for node in ast.walk(ast.parse(file.read_text("utf-8")))
               if isinstance(node, ast.Attribute) and node.attr in ("fromstring", "XMLParser")
               and ast.unparse(node.value) == "etree"}
    assert parsers == {"notice.py"}


def test_every_process_speaks_json_only(environment):
    from gwbroker.app import make

    conf = make().conf
    assert conf.accept_content == ["json"]
    assert conf.result_accept_content in (None, ["json"])
    assert (conf.task_serializer, conf.result_serializer, conf.event_serializer) == ("json",) * 3
