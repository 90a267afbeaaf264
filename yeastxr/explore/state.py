"""What a page shows, as the query of its URL."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode

from yeastxr.errors import InputError, format_value, suggest
from yeastxr.explore.selection import Box
from yeastxr.explore.source import Source
from yeastxr.schema import GENE, TF

VIEWS = ("overview", "tf", "gene", "pairs", "sweep", "simulate")
_LEAD = "at."  # begins the names of leading dims in a query
_SET = "set."  # begins the names of changed parameters
_OPTION = "opt."  # begins the names of a view's own options


@dataclass(frozen=True)
class State:
    """What a page shows: a view, its TF and gene, a point of leading dims, a selection, and changed parameters.

    Parameters
    ----------
    view
        The view's name.
    tf, gene, other
        Positions: the TF, the gene, and the TF that it is compared with.
    point
        Positions along leading dims of what is shown, and of the dataset that was opened.
    box
        The selected part of a plot.
    changes
        Parameters of the specification that the simulation on the page has instead of the dataset's, as JSON.
    options
        What the view's own widgets choose, as text; what they choose by default is left out.
    """

    view: str = "overview"
    tf: int = 0
    gene: int = 0
    other: int = 0
    point: Mapping[str, int] = field(default_factory=dict)
    box: Box | None = None
    changes: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)

    def change(self, **values: Any) -> Self:
        """Return the state with other values; a selection goes with its TF or gene, and options go with their view."""
        if values.get("view", self.view) != self.view:
            values.setdefault("options", {})
        if {"view", "tf", "gene", "other", "point", "changes"} & values.keys():
            values.setdefault("box", None)
        if values.get("tf") == self.other:
            values.setdefault("other", self.tf)  # two different ones
        return replace(self, **values)

    def to_query(self, source: Source, opened: Source | None = None) -> str:
        """Return the query of the URL, such as ``?view=tf&tf=GAL4``; ``opened`` has the leading dims that it lacks."""
        items = [("view", self.view)]
        items += [(TF, str(source.get_label(TF, self.tf)))]
        if self.view == "gene" or self.gene:
            items.append((GENE, str(source.get_label(GENE, self.gene))))
        if self.view == "pairs":
            items.append(("other", str(source.get_label(TF, self.other))))
        for dim, i in self.point.items():
            owner = source if dim in source.dims or opened is None else opened
            items += [(f"{_LEAD}{dim}", str(owner.get_label(dim, i)))] if i else []
        if self.box is not None:
            items.append(("box", self.box.to_text()))
        items += [(f"{_SET}{name}", text) for name, text in self.changes.items()]
        items += [(f"{_OPTION}{name}", text) for name, text in self.options.items()]
        return f"?{urlencode(items)}"

    @classmethod
    def from_query(cls, query: str, source: Source, opened: Source | None = None) -> tuple[Self, list[str]]:
        """Return the state of a query, and a sentence for each part of it that can't be followed, which is left out.

        ``opened`` is the dataset whose simulation with other parameters the source is, and has the leading dims that it
        lacks.
        """
        values: dict[str, Any] = {}
        point: dict[str, int] = {}
        problems: list[str] = []
        for name, text in parse_qsl(query.removeprefix("?"), keep_blank_values=True):
            try:
                if name == "view":
                    if text not in VIEWS:
                        raise InputError(f"view is {format_value(text)}; {suggest(text, VIEWS)}")
                    values[name] = text
                elif name in (TF, GENE, "other"):
                    values[name] = source.find(GENE if name == GENE else TF, text)
                elif name == "box":
                    values[name] = Box.from_text(text)
                elif name.startswith(_LEAD):
                    dim = name.removeprefix(_LEAD)
                    owner = source if dim in source.dims or opened is None else opened
                    if dim not in owner.dims:
                        raise InputError(f"dim {format_value(dim)} is not in the dataset; {suggest(dim, owner.dims)}")
                    point[dim] = owner.find(dim, text)
                elif name.startswith(_SET):
                    values.setdefault("changes", {})[name.removeprefix(_SET)] = text
                elif name.startswith(_OPTION):
                    values.setdefault("options", {})[name.removeprefix(_OPTION)] = text
            except InputError as error:
                problems.append(str(error))
        if "other" not in values:
            values["other"] = min(0 if values.get("tf") else 1, source.ds.sizes[TF] - 1)
        return cls(**values, point=point), problems
