"""Finding what README and docs tell the reader to type and to write."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGES = tuple(sorted([*ROOT.glob("*.rst"), *(ROOT / "etc").rglob("*.rst"), *(
    page for page in (ROOT / "docs").rglob("*.rst") if "_build" not in page.parts)]))

_BLOCK = re.compile(
    r"^(?P<indent> *)\.\. code-block:: (?P<language>[\w-]+)\n"
    r"(?P<options>(?:(?P=indent)   :[^\n]*\n)*)"
    r"\n(?P<body>(?:(?:(?P=indent)   [^\n]*)?\n)+)", re.MULTILINE)


@dataclass(frozen=True)
class Snippet:
    """A code block: where it stands, its language, the file that its caption names, its text."""

    page: str
    line: int
    language: str
    caption: str
    text: str

    @property
    def place(self) -> str:
        """File and line, for the name of a test."""
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Command:
    """A line that begins with a dollar sign."""

    snippet: Snippet
    text: str


def snippets(*languages: str) -> list[Snippet]:
    """Return the code blocks of these languages, page by page."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8") + "\n"
        for match in _BLOCK.finditer(text):
            if match["language"] not in languages:
                continue
            caption = re.search(r":caption: *(\S+)", match["options"])
            found.append(Snippet(
                str(page.relative_to(ROOT)), text.count("\n", 0, match.start()) + 1,
                match["language"], caption[1] if caption else "",
                textwrap.dedent(match["body"]).strip("\n") + "\n"))
    return found


def commands() -> Iterator[Command]:
    """Yield every command, in order; a backslash at the end of a line continues it."""
    for snippet in snippets("console", "sh"):
        joined = re.sub(r"\\\n\s*", "", snippet.text)
        for line in joined.splitlines():
            if line.startswith("$ "):
                yield Command(snippet, line[2:].strip())
