"""Sphinx: the pages of this folder, and those that are made from the code, built by ``make docs`` without a network."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

import gallery  # noqa: E402
import inventories  # noqa: E402
import reference  # noqa: E402

from yeastxr import __version__  # noqa: E402

project = "yeastxr"
author = "the yeastxr developers"
copyright = f"2026, {author}"
version = release = __version__

# Pages that are made must be there before Sphinx looks for pages.
reference.write(HERE / "reference")
gallery.write(HERE.parent / "examples", HERE / "gallery")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.intersphinx",
    "sphinx_click",
    "sphinx_copybutton",
    "sphinx_design",
    "formulas",
    "tables",
]
exclude_patterns = ["_build", "_ext", "generated", "derivations", "reference/generated/.*", "**/.ipynb_checkpoints"]
templates_path = ["_templates"]
nitpicky = True
nitpick_ignore_regex = [
    # Words of prose where numpydoc has a type.
    (r"py:class", r"(zarr store|str to \w+|values|probabilities|One line)"),
    # Bases that other projects have, whose pages have no such name.
    (r"py:class", r"(lightning|pytorch_lightning|anndata)\..*"),
    # Types that only annotations name.
    (
        r"py:class",
        r"yeastxr\.(simulation\.parameters\..*|training\.batches\.EpochSetter|plot\.style\.Options|rename\._Data)",
    ),
]
intersphinx_mapping = inventories.write(HERE / "_build" / "inventories")

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 120

autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_member_order = "bysource"
# By name: on its own it would look at the pages that were there last time.
autosummary_generate = [str(page.relative_to(HERE)) for page in (HERE / "reference").glob("*.md")]
napoleon_google_docstring = False

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True


def _escape_bars(app, what, name, obj, options, lines):  # |effect| is a magnitude, not a substitution
    for i, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...")):
            parts = line.split("``")
            parts[::2] = [part.replace("|", r"\|") for part in parts[::2]]
            lines[i] = "``".join(parts)


def _describe_data(app, what, name, obj, options, lines):
    if name in reference.DATA:
        lines[:] = [reference.DATA[name]]


def setup(app):
    """Have docstrings passed through what mends them, before napoleon."""
    app.connect("autodoc-process-docstring", _describe_data, priority=50)
    app.connect("autodoc-process-docstring", _escape_bars, priority=100)


html_theme = "pydata_sphinx_theme"
html_title = "yeastxr"
html_math_renderer = "drawn"
html_static_path = ["_static"]
html_css_files = ["yeastxr.css"]
html_show_sourcelink = False
# Pages outside of sections have nothing to list beside them.
alone = ("install", "tour", "tutorial", "glossary", "benchmarks", "changelog", "design", "contributing", "validation")
html_sidebars = {page: [] for page in alone}
html_theme_options = {
    "show_toc_level": 2,
    "header_links_before_dropdown": 8,
    "navbar_align": "left",
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
