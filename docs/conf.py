"""Sphinx: the pages of this folder and the reference from the docstrings, built by ``make docs``."""

from yeastxr import __version__

project = "yeastxr"
author = "the yeastxr developers"
copyright = f"2026, {author}"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "derivations"]
myst_heading_anchors = 2
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autosummary_generate = True
napoleon_google_docstring = False

html_theme = "pydata_sphinx_theme"
html_title = "yeastxr"
html_theme_options = {"show_toc_level": 2}
