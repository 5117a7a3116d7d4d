"""Letters: text of any language, in the fonts that there are."""

from __future__ import annotations

from functools import lru_cache

from matplotlib.font_manager import findfont, fontManager, get_font

FONT = "DejaVu Sans"
"""Comes with matplotlib."""

_ASIAN = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Source Han Sans SC", "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei", "Droid Sans Fallback", "PingFang SC", "Hiragino Sans",
    "Microsoft YaHei", "SimHei", "IPAGothic", "Arial Unicode MS",
)
"""Fonts with Chinese and Japanese letters, of which a machine may have one; ours has none."""


@lru_cache(maxsize=1)
def _fonts() -> tuple[list[str], frozenset[int]]:
    """Return the fonts for text of any language that are here, and the letters they have."""
    known = {entry.name for entry in fontManager.ttflist}
    names = [FONT, *[name for name in _ASIAN if name in known][:1]]
    glyphs: set[int] = set()
    for name in names:
        glyphs.update(get_font(findfont(name)).get_charmap())
    return names, frozenset(glyphs)


def families() -> list[str]:
    """Return the fonts for text of any language: ours, then one of the machine's if need be."""
    return _fonts()[0]


def printable(text: str, most: int = 60) -> str:
    """Return text on one line, with what the fonts lack replaced, cut where it is too long.

    Marks that turn the direction of writing are left out: they would turn the rest of the line.
    """
    line = clean(text[:2000])
    glyphs = _fonts()[1]
    shown = "".join(c if ord(c) in glyphs else "\N{REPLACEMENT CHARACTER}" for c in line)
    return shown if len(shown) <= most else shown[: most - 1].rstrip() + "…"


def clean(text: str) -> str:
    """Return text on one line, without what neither PNG nor XML can hold."""
    return " ".join("".join(c for c in text if c.isprintable() or c.isspace()).split())
