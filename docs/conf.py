"""How Sphinx builds the documentation: `make docs` writes it to build/docs, and a warning is an error."""

import hashlib
import logging
from pathlib import Path

import structpred

project = "structpred"
author = "the structpred authors"
copyright = f"2026, {author}"
release = version = structpred.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
highlight_language = "text"  # of indented blocks: formulas and commands; Python stands in fences that say so

myst_heading_anchors = 3  # so that links to page.md#heading work here as they do where the page is read as text

# The notebooks run here, once for each state of the library: the cache knows their code, its folder the library's.
_sources = sorted(Path(structpred.__file__).parent.rglob("*.py"))
_library = hashlib.sha256(b"".join(source.read_bytes() for source in _sources)).hexdigest()[:16]
nb_execution_mode = "cache"
nb_execution_cache_path = str(Path(__file__).parents[1] / "build" / "notebooks" / _library)
nb_execution_raise_on_error = nb_execution_show_tb = True
nb_execution_timeout = 300  # seconds for one cell, which takes a tenth of that
nb_merge_streams = True
logging.getLogger("traitlets").setLevel(logging.WARNING)  # or each notebook announces itself, however quiet the build

autodoc_class_signature = "mixed"
autodoc_inherit_docstrings = False  # a method without words of its own is described once, where its base class is
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True, "show-inheritance": True}
python_maximum_signature_line_length = 100

html_theme = "furo"  # reads well on a phone and in the dark, and fetches nothing from elsewhere
html_title = "structpred"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
html_show_sphinx = html_copy_source = html_show_sourcelink = False
html_theme_options = {"top_of_page_buttons": []}


def _keep_the_first_line(app, what, name, obj, options, lines):
    """Keep napoleon from reading what stands before a colon in an attribute's docstring as the attribute's type."""
    if what in {"attribute", "data", "property"}:
        lines[:0] = ["..", ""]  # an empty comment: it has no colon


def setup(app):
    """Sphinx calls this."""
    app.connect("autodoc-process-docstring", _keep_the_first_line, priority=400)  # before napoleon, at 500
