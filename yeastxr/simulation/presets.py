"""Presets: named sets of parameters, each with what its number is chosen for and where that is from."""

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
    """A named set of parameters of a simulation, and where its numbers are from.

    In a terminal and in a notebook it shows as a table.

    Parameters
    ----------
    name
        What ``preset=`` takes.
    description
        What the data are like, in a sentence or two.
    parameters
        Values by the names of parameters; read-only. All other parameters have their defaults.
    sources
        For each of these parameters the figure that it is chosen for, and where that figure is from.

    Examples
    --------
    >>> import yeastxr as yx
    >>> preset = yx.presets()["yeast"]
    >>> preset.parameters["genes"], preset.sources["total_background_hops"]
    (6600, 'Hops of the background of that experiment.')
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
        """Return the parameters of a simulation: those given, and the preset's for all others.

        Fractions and names come with their own numbers of TFs: where ``bound`` is given, ``n_sample`` is not the
        preset's, and where ``tfs`` is, one bound fraction holds for as many TFs as there are names. Where another
        ``hop_distribution`` is given, the parameters of the preset's distribution are left out.

        Parameters
        ----------
        values
            Parameters by name, which take precedence.

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
    """All presets by name, read-only; shows as a list of them."""

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
        "The data of the tutorial: uniform hops, p-values drawn by a rule, and responses of exactly the bound pairs "
        "(method 1; max_mean_adjustment and tf_relationships make methods 2 to 4)."
    ),
    parameters={"genes": 1000, "bound": (0.1, 0.15, 0.2, 0.25, 0.3), "n_sample": (1, 1, 2, 2, 4)},
    sources=dict.fromkeys(("genes", "bound", "n_sample"), "The tutorial's number."),
)

_YEAST = Preset(
    name="yeast",
    description=(
        "Data with figures of measured yeast: hops of calling cards with hot promoters, 2 to 4 % of pairs bound, few "
        "of which respond, most responses indirect, p-values of tests, and missing genes."
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
        "genes": "Genes of yeast, in round numbers.",
        "bound": "2 to 4 % of pairs are bound.",
        "n_sample": f"The TFs of {_WU_LAI}.",
        "bound_concentration": "Most TFs (some 94 %) bind 2 to 4 % of genes.",
        "hop_distribution": "Hops vary by more than a Poisson distribution does.",
        "background_hops_mean": f"The mean, in {_EXPERIMENT}.",
        "unbound_experiment_hops_mean": "Together with the next parameter: mean 1.9 over all pairs of that experiment.",
        "bound_experiment_hops_mean": "Variance 10.6 of all pairs of that experiment.",
        "background_hops_dispersion": "Variance 135 of that background, of which promoters make most.",
        "experiment_hops_dispersion": "41 % of promoters without hops in that experiment, and its variance.",
        "promoter_dispersion": (
            "Spearman correlation 0.64 of that experiment and its background; 7 % of promoters without background hops."
        ),
        "total_background_hops": "Hops of the background of that experiment.",
        "total_experiment_hops": "Hops of that experiment.",
        "pseudocount": "Not measured: adds about one hop, 1e-5 of all, to those of the background.",
        "pvalues": "P-values of measured data are those of tests.",
        "bound_mean": "Not measured: responses of 5 s.d. of the noise, most of which a test finds.",
        "responsive_fraction": f"4 % of bound genes respond to a deletion, from 0 to 36 % by TF ({_WU_LAI}).",
        "indirect_fraction": f"318 responsive genes, the median of TFs ({_KANG}, figure 1B).",
        "missing_gene_fraction": "With missing_pair_fraction, 7 to 8 % of genes are missing.",
        "missing_pair_fraction": "A few more missing pairs.",
    },
)

_PRESETS = Presets(_TUTORIAL, _YEAST)


def presets() -> Mapping[str, Preset]:
    """Return the presets: named sets of parameters, each with the source of its numbers.

    :func:`yeastxr.simulate`, :meth:`yeastxr.SimulationSpec.from_preset` and the command line take their names. A
    dataset's attributes hold all values, not the name, so a dataset can be made again after a preset has changed.

    Returns
    -------
    collections.abc.Mapping
        From names to :class:`yeastxr.Preset`; read-only. It shows as a list, and each preset as a table.

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
    """Return a preset, or refuse an unknown name, naming the nearest."""
    if not isinstance(name, str):
        raise InputTypeError(f"preset is {format_value(name)}; expected a name, such as {list(_PRESETS)[-1]!r}")
    if name not in _PRESETS:
        raise InputError(f"preset is {format_value(name)}, which is not known; {suggest(name, _PRESETS)}")
    return _PRESETS[name]
