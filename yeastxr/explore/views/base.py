"""What all views share: their place on the page, and what can be taken away from them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pandas as pd
import panel as pn

from yeastxr.explore.source import Source
from yeastxr.explore.state import State
from yeastxr.explore.style import STYLES

if TYPE_CHECKING:
    from yeastxr.explore.page import Explorer

MOST_READ_UNASKED = 20_000_000  # pairs of all TFs that are read without a button: about a second
_PAIRS_PER_SECOND = 20e6


class View:
    """A view of a dataset, made when it is first shown.

    A view has a column of its own, ``self.layout``, fills it in ``__init__``, and brings it up to date in ``show``.

    Parameters
    ----------
    page
        The page: its ``source``, ``go(**changes)`` to show something else, and ``run`` for work that takes long.
    """

    name: str
    """The view's name in a URL."""
    title: str
    """The view's name on the page."""
    selectors: tuple[str, ...] = ()
    """Which of the page's selectors it needs: ``tf``, ``gene``, ``other``, ``point``."""
    has_table = True
    has_picture = True
    keeps_source = False
    """Whether the view stays as it is when the page gets another dataset; others are made anew."""

    def __init__(self, page: "Explorer") -> None:
        self.page = page
        self.layout = pn.Column(sizing_mode="stretch_width", stylesheets=[STYLES])

    @property
    def source(self) -> Source:
        """The dataset that the page shows."""
        return self.page.source

    @classmethod
    def applies(cls, source: Source) -> bool:
        """Return whether the view has something to show of a dataset."""
        return True

    def show(self, state: State) -> None:
        """Bring the view up to date."""
        raise NotImplementedError

    def hide(self) -> None:
        """Show nothing, and offer nothing to take away, until something else is read: it may fail."""
        self.has_table = self.has_picture = False
        for part in self.layout:
            part.visible = False

    def reveal(self, state: State) -> None:
        """Show what was read."""
        self.has_table = self.has_picture = True
        for part in self.layout:
            part.visible = True
        self.page.downloads.refresh(self, state)

    def name_file(self, state: State) -> str:
        """Return the name of files with what is shown, without their ending."""
        return self.name

    def make_table(self) -> pd.DataFrame | None:
        """Return the table that is shown, with the rows of the selection; None if there is none."""
        return None

    def make_picture(self) -> Any:
        """Return the pictures that are shown as a holoviews element; None if there is none."""
        return None

    def make_code(self, state: State) -> list[str]:
        """Return Python lines that make what is shown; the first ones, which make ``ds``, are the page's."""
        return []


def make_html(text: str = "", **settings: Any) -> Any:
    """Return a place for HTML; what comes from data must be escaped already."""
    return pn.pane.HTML(text, sizing_mode="stretch_width", stylesheets=[STYLES], **settings)


def make_grid(*figures: Any) -> Any:
    """Return figures side by side, as many in a row as there is room for."""
    return pn.Column(*figures, sizing_mode="stretch_width", stylesheets=[STYLES], css_classes=["grid"])


def make_figure_place() -> Any:
    """Return an empty place for a bokeh figure in a grid."""
    return pn.pane.Bokeh(sizing_mode="stretch_width", min_width=260, stylesheets=[STYLES])


def make_checkbox(title: str, *, value: bool = False, **settings: Any) -> Any:
    """Return a checkbox whose title belongs to it, as that of a group of one does; its value is a list of titles."""
    settings = {"margin": (5, 10), "stylesheets": [STYLES]} | settings
    return pn.widgets.CheckBoxGroup(options=[title], value=[title] if value else [], **settings)


def make_start_button(start: Callable[..., None]) -> Any:
    """Return a hidden button that starts reading."""
    button = pn.widgets.Button(label="Read them", width=170, visible=False, stylesheets=[STYLES])
    button.on_click(start)
    return button


def describe_reading(n_pairs: int) -> str:
    """Say how many pairs reading them takes, and about how long."""
    seconds = n_pairs / _PAIRS_PER_SECOND
    time = f"{seconds:,.0f} s" if seconds < 120 else f"{seconds / 60:,.0f} minutes"
    return f"read {n_pairs:,} gene–TF pairs, which takes about {time} if these are in memory or on a fast disk."
