"""The page's head in the browser: links to the views, the theme, and the URL."""

from typing import ClassVar

import param
from panel.custom import JSComponent

from yeastxr.explore.style import read_asset


class Navigation(JSComponent):
    """The page's title and links to its views; keeps the URL, if the page is ours, and follows the back button."""

    heading = param.String(doc="The title on the page.")
    page_title = param.String(doc="The title of the browser's tab.")
    links = param.List(doc="Title, query and whether it is shown (current), of each view.")
    query = param.String(doc="The query of the URL for what is shown.")
    visited = param.String(doc="The query of the link that was followed last.")
    visits = param.Integer(doc="How many times a link was followed.")
    owns_page = param.Boolean(default=True, doc="Whether the URL and the theme are ours; not so in a notebook.")

    _esm = read_asset("navigation.js")
    _stylesheets: ClassVar[list[str]] = [read_asset("navigation.css")]
