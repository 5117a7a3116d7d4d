"""How Sphinx builds these pages; it needs no network."""

import os
import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS.parent), str(DOCS / "_ext")]

# Importing the code reads the settings: those of whoever builds the pages must not show in them.
for name in [n for n in os.environ if n.startswith("GWBROKER_")]:
    del os.environ[name]
os.environ["GWBROKER_CONFIG"] = os.devnull
os.environ["GWBROKER_HOME"] = str(DOCS / "_build" / "home")

from gwbroker import __version__  # noqa: E402

project = "gwbroker"
author = "the gwbroker developers"
copyright = "the gwbroker developers, GPL-3.0-or-later"
version = release = __version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "from_code"]
exclude_patterns = ["_build", "_ext"]
html_theme = "alabaster"
html_theme_options = {
    "description": "The alert broker for multi-messenger astronomy",
    "fixed_sidebar": True,
    "page_width": "1100px",
    "sidebar_width": "240px",
}
html_static_path: list[str] = []
html_copy_source = False
smartquotes = False

# Single backquotes in docstrings are names in the code.
default_role = "literal"
napoleon_google_docstring = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
# A type from elsewhere is named as its own documentation names it; there is nothing to link to.
nitpicky = True
nitpick_ignore_regex = [
    ("py:.*", r"(?!gwbroker\.)(.*)"),
    ("py:.*", r"gwbroker\..*\.(Handler|Function|T)"),
    ("py:.*", r"gwbroker\.(conf|ledger|skymap|listeners|streams\.registry)\..*"),
]
