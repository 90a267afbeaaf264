"""Presets: named sets of parameters, with a reason and a source for each value."""

import html
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from yeastxr.errors import InputError, InputTypeError, format_value, suggest

_WIDTH = 118  # characters of a line of text
_OF_NEGATIVE_BINOMIAL = (
    "background_hops_mean",
    "unbound_experiment_hops_mean",
    "bound_experiment_hops_mean",
    "background_hops_dispersion",
    "experiment_hops_dispersion",
    "promoter_dispersion",
)


@dataclass(frozen=True, repr=False)
class Preset:
    """A named set of parameters of a simulation, with sources.

    Its repr, in a terminal or a notebook, is a table.

    Parameters
    ----------
    name
        The value for ``preset=``.
    description
        A description of the data in one or two sentences.
    parameters
        A read-only dict from names of parameters to values. All other parameters have their defaults.
    sources
        The reason for each value, and its source.

    Examples
    --------
    >>> import yeastxr as yx
    >>> preset = yx.presets()["yeast"]
    >>> preset.parameters["genes"], preset.sources["total_background_hops"]
    (6600, 'Total of that background.')
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    sources: Mapping[str, str]

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", MappingProxyType(dict(self.parameters)))
        object.__setattr__(self, "sources", MappingProxyType(dict(self.sources)))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.name, self.description, dict(self.parameters), dict(self.sources))

    def fill(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the given parameters, completed with those of the preset.

        If ``bound`` is given, ``n_sample`` does not come from the preset. If ``tfs`` is given, a single bound fraction
        applies to all names. If a different ``hop_distribution`` is given, the parameters of the preset's distribution
        are omitted.

        Parameters
        ----------
        values
            Parameters by name, which override the preset.

        Returns
        -------
        dict
            Parameters by name.

        Examples
        --------
        >>> import yeastxr as yx
        >>> yx.presets()["tutorial"].fill({"genes": 100, "bound": [0.2]})
        {'genes': 100, 'bound': [0.2]}
        """
        filled = dict(self.parameters)
        if "bound" in values or (values.get("tfs") is not None and len(filled["bound"]) == 1):
            del filled["n_sample"]
        if values.get("hop_distribution", filled.get("hop_distribution")) != filled.get("hop_distribution"):
            filled = {name: value for name, value in filled.items() if name not in _OF_NEGATIVE_BINOMIAL}
        return filled | dict(values)

    def __repr__(self) -> str:
        names = [*self.parameters]
        values = [format_value(value) for value in self.parameters.values()]
        widths = [max(map(len, column)) for column in (names, values)]
        indent = " " * (4 + sum(widths) + 4)
        lines = [f"<yeastxr.Preset {self.name!r}>", *textwrap.wrap(self.description, _WIDTH)]
        for name, value in zip(names, values, strict=True):
            text = f"    {name:{widths[0]}}  {value:{widths[1]}}  "
            source = textwrap.wrap(self.sources[name], _WIDTH, initial_indent=text, subsequent_indent=indent)
            lines += source or [text.rstrip()]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        body = "".join(
            f"<tr><td style='text-align:left'><code>{html.escape(name)}</code></td>"
            f"<td style='text-align:left'>{html.escape(format_value(value))}</td>"
            f"<td style='text-align:left'>{html.escape(self.sources[name])}</td></tr>"
            for name, value in self.parameters.items()
        )
        head = "".join(f"<th style='text-align:left'>{text}</th>" for text in ("parameter", "value", "chosen for"))
        return (
            f"<p><b>{html.escape(self.name)}</b>: {html.escape(self.description)}</p>"
            f"<table class='yeastxr-preset'><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        )


class Presets(Mapping[str, Preset]):
    """All presets by name, read-only; its repr lists them."""

    def __init__(self, *presets: Preset) -> None:
        self._presets = {preset.name: preset for preset in presets}

    def __getitem__(self, name: str) -> Preset:
        return self._presets[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._presets)

    def __len__(self) -> int:
        return len(self._presets)

    def __repr__(self) -> str:
        width = max(map(len, self))
        lines = ["<yeastxr presets>"]
        for name, preset in self.items():
            start = f"    {name:{width}}  "
            lines += textwrap.wrap(preset.description, _WIDTH, initial_indent=start, subsequent_indent=" " * len(start))
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return "".join(preset._repr_html_() for preset in self.values())


_EXPERIMENT = "one calling-cards experiment and its background"
_WU_LAI = "Wu and Lai 2015, doi:10.1186/1752-0509-9-S6-S2"
_KANG = "Kang et al. 2020, doi:10.1101/gr.259655.119"

_TUTORIAL = Preset(
    name="tutorial",
    description=(
        "The data of the tutorial: uniform hops, p-values from a rule, and responses of exactly the bound pairs "
        "(method 1; use max_mean_adjustment and tf_relationships for methods 2 to 4)."
    ),
    parameters={"genes": 1000, "bound": (0.1, 0.15, 0.2, 0.25, 0.3), "n_sample": (1, 1, 2, 2, 4)},
    sources=dict.fromkeys(("genes", "bound", "n_sample"), "Value of the tutorial."),
)

_YEAST = Preset(
    name="yeast",
    description=(
        "Data like those measured in yeast: calling cards hops with hot promoters, 2 to 4 % of pairs bound, few "
        "of which respond, mostly indirect responses, p-values from tests, and missing genes."
    ),
    parameters={
        "genes": 6600,
        "bound": (0.03,),
        "n_sample": (173,),
        "bound_concentration": 1000.0,
        "hop_distribution": "negative_binomial",
        "background_hops_mean": 10.7,
        "unbound_experiment_hops_mean": 1.65,
        "bound_experiment_hops_mean": 9.5,
        "background_hops_dispersion": 0.06,
        "experiment_hops_dispersion": 0.2,
        "promoter_dispersion": 0.96,
        "total_background_hops": 103_922,
        "total_experiment_hops": 17_183,
        "pseudocount": 1e-5,
        "pvalues": "test",
        "bound_mean": 5.0,
        "responsive_fraction": 0.04,
        "indirect_fraction": 0.05,
        "missing_gene_fraction": 0.07,
        "missing_pair_fraction": 0.005,
    },
    sources={
        "genes": "Rounded number of yeast genes.",
        "bound": "2 to 4 % of pairs are bound.",
        "n_sample": f"Number of TFs in {_WU_LAI}.",
        "bound_concentration": "About 94 % of TFs bind 2 to 4 % of genes.",
        "hop_distribution": "Hops are overdispersed compared with a Poisson distribution.",
        "background_hops_mean": f"Mean of {_EXPERIMENT}.",
        "unbound_experiment_hops_mean": "With the next parameter, gives the mean 1.9 of all pairs of that experiment.",
        "bound_experiment_hops_mean": "Variance 10.6 of all pairs of that experiment.",
        "background_hops_dispersion": "Variance 135 of that background, mostly due to promoters.",
        "experiment_hops_dispersion": "41 % of promoters without hops in that experiment, and its variance.",
        "promoter_dispersion": (
            "Spearman correlation 0.64 of that experiment with its background; 7 % of promoters without hops in it."
        ),
        "total_background_hops": "Total of that background.",
        "total_experiment_hops": "Total of that experiment.",
        "pseudocount": "Not measured: adds about one hop, 1e-5 of the total, to the background.",
        "pvalues": "P-values of measured data come from tests.",
        "bound_mean": "Not measured: responses of 5 s.d. of the noise, which tests usually detect.",
        "responsive_fraction": f"4 % of bound genes respond to a deletion, from 0 to 36 % by TF ({_WU_LAI}).",
        "indirect_fraction": f"318 responsive genes, the median of TFs ({_KANG}, figure 1B).",
        "missing_gene_fraction": "With missing_pair_fraction, gives 7 to 8 % missing genes.",
        "missing_pair_fraction": "Few additional missing pairs.",
    },
)

_PRESETS = Presets(_TUTORIAL, _YEAST)


def presets() -> Mapping[str, Preset]:
    """Return the presets: named sets of parameters, with sources.

    Pass a name to :func:`yeastxr.simulate`, :meth:`yeastxr.SimulationSpec.from_preset` or the command line. The
    attributes of a dataset contain the values, not the name, so a dataset can be regenerated even if a later version
    changes the preset.

    Returns
    -------
    collections.abc.Mapping
        A read-only mapping from names to :class:`yeastxr.Preset`.

    Examples
    --------
    >>> import yeastxr as yx
    >>> list(yx.presets())
    ['tutorial', 'yeast']
    >>> yx.presets()["yeast"].parameters["responsive_fraction"]
    0.04
    """
    return _PRESETS


def get_preset(name: str) -> Preset:
    """Return a preset, or raise with a suggestion."""
    if not isinstance(name, str):
        raise InputTypeError(f"preset is {format_value(name)}; expected a name, such as {list(_PRESETS)[-1]!r}")
    if name not in _PRESETS:
        raise InputError(f"preset is {format_value(name)}, which is unknown; {suggest(name, _PRESETS)}")
    return _PRESETS[name]
