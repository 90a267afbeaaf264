"""Fields of a form for the parameters of a simulation: a widget each, with its help and the error of its parameter."""

import json
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import Field as DataclassField
from dataclasses import fields
from typing import Any

import panel as pn

from yeastxr.errors import InputError, format_value
from yeastxr.explore.changes import RELATIONS
from yeastxr.explore.relation_lines import parse_lines, write_lines
from yeastxr.explore.style import STYLES
from yeastxr.explore.text import escape
from yeastxr.explore.views.base import make_checkbox, make_html
from yeastxr.simulation.parameters import (
    HOP_DISTRIBUTIONS,
    PVALUE_RULES,
    BindingParameters,
    MissingParameters,
    Parameters,
    PerturbationParameters,
    PopulationParameters,
    PvalueParameters,
    ResponseParameters,
)
from yeastxr.simulation.relations import from_json, to_json
from yeastxr.simulation.simulate import SimulationSpec

GROUPS: dict[str, tuple[type[Parameters], bool]] = {
    "Perturbation and relations": (PerturbationParameters, True),
    "Genes and TFs": (PopulationParameters, False),
    "Binding: hops": (BindingParameters, False),
    "P-values": (PvalueParameters, False),
    "Which pairs respond": (ResponseParameters, False),
    "Missing values": (MissingParameters, False),
}
"""Titles of groups of parameters, in the order of the form, and whether a group is open at first."""

_CHOICES = {"hop_distribution": HOP_DISTRIBUTIONS, "pvalues": PVALUE_RULES}
_ENDS: dict[str, tuple[float, float]] = {
    "unbound_mean": (-5, 5),
    "bound_mean": (0, 10),
    "max_mean_adjustment": (0, 20),
    "gene_responsiveness": (0, 0.99),
    "poisson_pseudocount": (0, 2),
    "genes": (100, 10_000),
    "n_sample": (1, 50),
    "background_hops_range": (0, 200),
}
_ENDS_BY_SUFFIX: dict[str, tuple[float, float]] = {
    "_fraction": (0, 1),
    "_percentile": (0, 1),
    "_upper_pval": (0, 1),
    "_std": (0, 5),
    "_dispersion": (0, 5),
    "_hops_mean": (0, 50),
    "_range": (0, 30),
}
_MOST_NAMES, _MOST_LINES = 200, 200
_TEXT_KINDS: dict[Any, Callable[[str], Any]] = {list[int]: int, list[float]: float, list[str]: str}


def find_ends(name: str) -> tuple[float, float] | None:
    """Return the ends of a parameter's slider; None if it has no slider."""
    suffixes = [ends for suffix, ends in _ENDS_BY_SUFFIX.items() if name.endswith(suffix)]
    return _ENDS.get(name) or next(iter(suffixes), None)


def applies(name: str, values: dict[str, Any]) -> bool:
    """Return whether a parameter has a meaning beside the values of others; where it has none, it is its default."""
    binding = {field.name for field in fields(BindingParameters)}
    if name in binding and name.endswith(("_mean", "_dispersion")):
        return bool(values["hop_distribution"] == "negative_binomial")
    if name in binding and name.endswith("_range"):
        return bool(values["hop_distribution"] == "uniform")
    if name.startswith("large_effect_"):
        return bool(values["pvalues"] == "tutorial")
    if name == "poisson_pseudocount":
        return bool(values["pvalues"] == "test")
    if name == "gene_responsiveness":
        return bool(values["responsive_fraction"] < 1 or values["indirect_fraction"] > 0)
    return name != "batch_std" or values["measurements"] is not None


class Entry:
    """A parameter's place in the form.

    Parameters
    ----------
    name
        The parameter.
    help_text
        What it is.
    widget
        The widget.
    change
        Called when somebody has changed the widget.
    read, write
        From the widget's value to the parameter's as JSON holds it, and back.
    """

    def __init__(
        self,
        name: str,
        help_text: str,
        widget: Any,
        change: Callable[[str], None],
        *,
        read: Callable[[Any], Any] = lambda value: value,
        write: Callable[[Any], Any] = lambda value: value,
    ) -> None:
        self.name, self._read, self._write, self._change = name, read, write, change
        self._error = make_html(visible=False)
        self.layout = pn.Column(
            widget,
            make_html(f'<p class="note">{escape(help_text, 400)}</p>', margin=(0, 10, 6, 10)),
            self._error,
            sizing_mode="stretch_width",
            stylesheets=[STYLES],
        )
        self._place(widget)

    def _place(self, widget: Any) -> None:
        """Put a widget into the form; a slider tells its value once it is let go."""
        self.widget = self.layout[0] = widget
        event = "value_throttled" if hasattr(widget, "value_throttled") else "value"
        widget.param.watch(lambda _: self._change(self.name), event)

    def get(self) -> Any:
        """Return the parameter's value as JSON holds it, or refuse what the widget has."""
        return self._read(self.widget.value)

    def set(self, value: Any) -> None:
        """Show a value, unless the widget shows it already.

        The widget is another one then: a browser says nothing of a slider that comes back to where it was let go last.
        """
        try:
            if self.get() == value:
                return
        except InputError:
            pass
        shown = self._write(value)
        settings: dict[str, Any] = {"value": shown}
        if getattr(self.widget, "end", None) is not None:
            lower, upper = shown if isinstance(shown, tuple) else (shown, shown)
            settings |= {"start": min(self.widget.start, lower), "end": max(self.widget.end, upper)}
        self._place(self.widget.clone(**settings))

    def tell(self, text: str) -> None:
        """Show the error of the parameter below it; an empty one hides the last."""
        self._error.object = f'<div class="error" role="alert">{escape(text, 1_000)}</div>' if text else ""
        self._error.visible = bool(text)

    @property
    def error(self) -> str:
        """The error that is shown, as HTML; empty for none."""
        return str(self._error.object)


def make_entry(
    field: DataclassField[Any], spec: SimulationSpec, change: Callable[[str], None], list_tfs: Callable[[], Any]
) -> Entry | None:
    """Return the place of a parameter in the form of a specification; None if it is too long to change there."""
    name, option = field.name, field.metadata["option"]
    value = plain_value(spec, name)
    settings: dict[str, Any] = {"label": name, "stylesheets": [STYLES], "sizing_mode": "stretch_width"}
    help_text = field.metadata["help"]
    if name == RELATIONS:
        return _make_relations(spec, help_text, settings, change, list_tfs)
    if name == "seed":
        widget = pn.widgets.TextInput(value=str(value), **settings)  # a browser's numbers end at 2**53
        return Entry(name, help_text, widget, change, read=_read_seed, write=str)
    if name in _CHOICES:
        return Entry(name, help_text, pn.widgets.Select(value=value, options=list(_CHOICES[name]), **settings), change)
    if option is bool:
        widget = make_checkbox(name, value=value)
        return Entry(name, help_text, widget, change, read=bool, write=lambda value: [name] if value else [])
    ends = find_ends(name)
    if ends is not None and name.endswith("_range"):
        settings |= {"start": int(ends[0]), "end": int(max(ends[1], value[1]))}
        widget = pn.widgets.IntRangeSlider(value=tuple(value), **settings)
        return Entry(name, help_text, widget, change, read=list, write=tuple)
    if ends is not None and not isinstance(value, list):
        return _make_slider(spec, name, help_text, value, ends, settings, change)
    if option in _TEXT_KINDS:
        return _make_list(name, help_text, value, option, settings, change)
    kind = pn.widgets.IntInput if option is int else pn.widgets.FloatInput
    return Entry(name, help_text, kind(value=value, **settings), change)


def plain_value(spec: SimulationSpec, name: str) -> Any:
    """Return a parameter's value as the form has it, which is as JSON holds it; a number for equal ones.

    Where a parameter of negative binomial hops is not given, it is what the range of uniform hops has.
    """
    value = getattr(spec, name)
    if name == "genes":
        return spec.n_genes
    if name == RELATIONS:
        return to_json(parse_lines(write_lines(value), spec.tf_labels)) or None
    if name == "n_sample" and len(set(value)) == 1:
        return value[0]
    if value is None and name.endswith("_hops_mean"):
        return sum(getattr(spec, name.replace("_mean", "_range"))) / 2
    return list(value) if isinstance(value, tuple) else value


def _make_slider(
    spec: SimulationSpec,
    name: str,
    help_text: str,
    value: Any,
    ends: tuple[float, float],
    settings: dict[str, Any],
    change: Callable[[str], None],
) -> Entry:
    lower, upper = min(ends[0], value), max(ends[1], value)
    widget: Any
    if name in ("genes", "n_sample"):
        if name == "genes" and isinstance(spec.genes, tuple):
            lower, upper, help_text = 1, len(spec.genes), "How many of the genes, the first ones."
        widget = pn.widgets.IntSlider(value=value, start=int(lower), end=int(upper), **settings)
        return Entry(name, help_text, widget, change)
    step = 0.01 if upper - lower <= 1 else 0.1
    widget = pn.widgets.FloatSlider(value=value, start=lower, end=upper, step=step, format="0[.]0[00]", **settings)
    return Entry(name, help_text, widget, change, read=lambda shown: round(float(shown), 10))


def _make_list(
    name: str, help_text: str, value: Any, option: Any, settings: dict[str, Any], change: Callable[[str], None]
) -> Entry | None:
    """Return a text field of values with commas between them."""
    parse = _TEXT_KINDS[option]
    is_names = parse is str
    if isinstance(value, list) and (len(value) > _MOST_NAMES or (is_names and any(map(_needs_quotes, value)))):
        return None
    one = name in ("n_sample", "positive_fraction")  # a number stands for equal ones

    def read(text: str) -> Any:
        parts = [part.strip() for part in text.split(",")] if text.strip() else []
        try:
            values = [parse(part) for part in parts]
        except ValueError:
            kind = "integers" if parse is int else "numbers"
            raise InputError(f"{name} is {format_value(text)}; expected {kind} with commas between them") from None
        if is_names:
            return values or None
        return values[0] if one and len(values) == 1 else values

    def write(values: Any) -> str:
        return ", ".join(map(str, values if isinstance(values, list) else [] if values is None else [values]))

    return Entry(name, help_text, pn.widgets.TextInput(value=write(value), **settings), change, read=read, write=write)


def _needs_quotes(name: str) -> bool:
    """Tell whether a name can't stand in a list with commas."""
    return "," in name or name != name.strip() or not name.isprintable() or not name


def _make_relations(
    spec: SimulationSpec,
    help_text: str,
    settings: dict[str, Any],
    change: Callable[[str], None],
    list_tfs: Callable[[], Any],
) -> Entry | None:
    if len(spec.tf_relationships or {}) > _MOST_LINES:
        return None
    widget = pn.widgets.TextAreaInput(
        value=write_lines(spec.tf_relationships),
        rows=4,
        auto_grow=True,
        max_rows=14,
        max_length=100_000,
        placeholder="GAL4: MIG1 & (RAP1 | !GAL80)",
        **settings,
    )
    help_text += " A line for each TF: its name, a colon, and TFs with & (and), | (or), ! (not) and parentheses."

    def read(text: str) -> Any:
        return to_json(parse_lines(text, list_tfs())) or None

    def write(value: Any) -> str:
        return write_lines(from_json(value or {}, named=isinstance(list_tfs(), tuple)))

    return Entry(RELATIONS, help_text, widget, change, read=read, write=write)


def _read_seed(text: str) -> int:
    if not re.fullmatch(r"\s*[0-9]{1,20}\s*", text):
        raise InputError(f"seed is {format_value(text)}; expected an integer from 0 to 2**64 - 1")
    return int(text)


class Form:
    """Fields for all parameters of a specification, in groups that open and close.

    Parameters
    ----------
    start
        The specification that the form begins with.
    change
        Called when somebody has changed a field.
    list_tfs
        Returns the labels of TFs for changes that have no relations.
    """

    def __init__(
        self,
        start: SimulationSpec,
        change: Callable[[], None],
        list_tfs: Callable[[dict[str, str]], Sequence[Any]],
    ) -> None:
        self.start = start
        self._change, self._list_tfs = change, list_tfs
        self._tfs: Any = start.tf_labels
        self.entries: dict[str, Entry] = {}
        self._plain = {field.name: plain_value(start, field.name) for field in fields(SimulationSpec)}
        self.layout = pn.Column(sizing_mode="stretch_width", stylesheets=[STYLES])
        for title, (group, is_open) in GROUPS.items():
            names = group.pick(self._plain)
            places = self._make_group([field for field in fields(SimulationSpec) if field.name in names])
            settings: dict[str, Any] = {"sizing_mode": "stretch_width", "stylesheets": [STYLES], "margin": (0, 0, 8, 0)}
            self.layout.append(pn.Card(*places, title=title, collapsed=not is_open, **settings))
        self.layout.append(pn.Column(*self._make_group([fields(SimulationSpec)[-1]]), self._make_seed_button()))
        self._refresh()

    def _make_group(self, group: Sequence[DataclassField[Any]]) -> list[Any]:
        """Return the places of some parameters, and a sentence for those that are too long."""
        places = []
        for field in group:
            entry = make_entry(field, self.start, lambda name: self._change(), lambda: self._tfs)
            if entry is not None:
                self.entries[field.name] = entry
                places.append(entry.layout)
            else:
                places.append(make_html(f'<p class="note">{field.name} is too long to change it here.</p>'))
        return places

    def _make_seed_button(self) -> Any:
        button = pn.widgets.Button(label="New seed", width=120, stylesheets=[STYLES])
        button.on_click(lambda _: self._draw_seed())
        return button

    def _draw_seed(self) -> None:
        self.entries["seed"].set(secrets.randbits(32))
        self._change()

    def read_changes(self) -> dict[str, str]:
        """Return what differs from the start, as JSON; refuse what is invalid, below its field."""
        for entry in self.entries.values():
            entry.tell("")
        values = dict(self._plain)
        problems: list[str] = []
        for name, entry in self.entries.items():
            if name != RELATIONS:
                values[name] = self._read(entry, problems)
        if problems:
            raise InputError(problems[0])
        changes = self._compare(values)
        if RELATIONS in self.entries:
            self._tfs = self._list_tfs(changes | {RELATIONS: "null"})
            values[RELATIONS] = self._read(self.entries[RELATIONS], problems)
            if problems:
                raise InputError(problems[0])
        self._refresh(values)
        return self._compare(values)

    def _read(self, entry: Entry, problems: list[str]) -> Any:
        try:
            return entry.get()
        except InputError as error:
            problems.append(str(error))
            entry.tell(str(error))
            return None

    def _compare(self, values: dict[str, Any]) -> dict[str, str]:
        """Return the JSON of values that are others than the start's; what does not apply is its default."""
        changes = {}
        for field in fields(SimulationSpec):
            name = field.name
            if name not in self.entries:
                continue
            if not applies(name, values):
                if getattr(self.start, name) != field.default:
                    changes[name] = json.dumps(field.default)
            elif values[name] != self._plain[name] or (getattr(self.start, name) is None and values[name] is not None):
                changes[name] = json.dumps(values[name])
        return changes

    def show(self, spec: SimulationSpec) -> None:
        """Show a specification."""
        self._tfs = spec.tf_labels
        values = {name: plain_value(spec, name) for name in self.entries}
        for name, entry in self.entries.items():
            entry.tell("")
            if applies(name, self._plain | values):
                entry.set(values[name])
        self._refresh(self._plain | values)

    def tell(self, problem: str) -> bool:
        """Show a problem below the field of the parameter that it names first; return whether there is one."""
        for name in re.findall(r"\w+", problem):
            if name in self.entries:
                self.entries[name].tell(problem)
                return True
        return False

    def _refresh(self, values: dict[str, Any] | None = None) -> None:
        """Show the fields of parameters that have a meaning beside the others."""
        values = self._plain if values is None else values
        for name, entry in self.entries.items():
            entry.layout.visible = applies(name, values)
