"""The parameters of each step, declared once: names, defaults, help, and what is allowed.

The functions of :mod:`yeastxr.simulation.steps`, :class:`yeastxr.SimulationSpec` and the command line take them from
here.
"""

import json
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from numbers import Integral, Real
from typing import Any, Self

import numpy as np

from yeastxr._validate import (
    POSITION_END,
    check_integer,
    check_names,
    check_number,
    check_range,
    check_sequence,
    unwrap,
)
from yeastxr.errors import InputError, InputTypeError, format_value
from yeastxr.simulation.relations import check_relationships, to_json, to_plain

LARGEST_NORMAL = 9.5  # above the largest normal number that the kernels draw
_TOTAL_END = 2**53  # float64 counts exactly up to here
_FLOAT32_MAX = float(np.finfo(np.float32).max)


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """The base of each group: checks that run when a group is made, and conversion from and to plain values."""

    def __post_init__(self) -> None:
        """Check and normalise every field; each group does its own and passes on."""

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def to_dict(self) -> dict[str, Any]:
        """Return the parameters as plain values that JSON holds.

        Returns
        -------
        dict
            From names to numbers, texts, lists and None.
        """
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        if values.get("tf_relationships") is not None:
            values["tf_relationships"] = to_json(values["tf_relationships"])
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    def write_values(self) -> dict[str, str]:
        """Return the JSON of each parameter; :func:`join_json` makes that of :meth:`to_dict` of it."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        if values.get("tf_relationships") is not None:
            values["tf_relationships"] = {str(tf): entries for tf, entries in values["tf_relationships"].items()}
        return {name: json.dumps(value, default=to_plain) for name, value in values.items()}

    @classmethod
    def pick(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return this group's entries of values of a whole specification."""
        return {field.name: values[field.name] for field in fields(cls)}

    @classmethod
    def extract(cls, source: "Parameters | Mapping[str, Any]") -> Self:
        """Take this group out of a specification, whose values are checked already, or out of a dict."""
        names = [field.name for field in fields(cls)]
        if not isinstance(source, Parameters):
            return cls(**{name: source[name] for name in names if name in source})
        group = object.__new__(cls)
        group._set(**{name: getattr(source, name) for name in names})
        return group


def join_json(values: Mapping[str, str]) -> str:
    """Return a JSON object of the JSON of its values."""
    return f"{{{', '.join(f'{json.dumps(name)}: {text}' for name, text in values.items())}}}"


def fits_float32(value: float) -> bool:
    """Return whether float32 holds a number: it does not become infinite."""
    return abs(value) <= _FLOAT32_MAX


def make_help(text: str, option: Any = None) -> dict[str, Any]:
    """Return a field's metadata for the command line: help, and the type of the option unless that has a format."""
    return {"help": text, "option": option}


@dataclass(frozen=True, kw_only=True)
class PopulationParameters(Parameters):
    """Step 1: which genes there are, which TFs, and how many genes each TF binds."""

    genes: int | Collection[str] = field(metadata=make_help("How many genes, or their names."))
    bound: float | Collection[float] | Mapping[str, float] = field(
        metadata=make_help("Bound fractions, each from 0 to 1, such as 0.1,0.2.", list[float])
    )
    n_sample: int | Collection[int] | None = field(
        default=None,
        metadata=make_help("How many TFs for each bound fraction, such as 100,100; one each by default.", list[int]),
    )
    tfs: Collection[str] | None = field(
        default=None, metadata=make_help("Names of the TFs; integers from 0 by default.", list[str])
    )
    replicates: int | None = field(default=None, metadata=make_help("How many replicates; none by default.", int))

    def __post_init__(self) -> None:
        super().__post_init__()
        genes: int | tuple[str, ...]
        if isinstance(self.genes, str):
            raise InputTypeError(f"genes is {format_value(self.genes)}; expected an integer from 1, or a list of names")
        if isinstance(self.genes, Collection) and getattr(self.genes, "ndim", 1) != 0:
            genes = check_names("genes", self.genes)
        else:
            genes = check_integer("genes", self.genes, least=1, most=POSITION_END)
        bound, tfs = self._check_bound()
        if self.n_sample is None or isinstance(unwrap(self.n_sample), Integral):
            counts = [1 if self.n_sample is None else self.n_sample] * len(bound)
        else:
            counts = check_sequence("n_sample", self.n_sample, "an integer of at least 1, or a list of them")
        if len(counts) != len(bound):
            raise InputError(
                f"n_sample has {len(counts)} entries and bound has {len(bound)}; expected as many counts as fractions"
            )
        n_sample = tuple(check_integer(f"n_sample[{i}]", n, least=1, most=POSITION_END) for i, n in enumerate(counts))
        if sum(n_sample) > POSITION_END:
            raise InputError(f"n_sample adds up to {sum(n_sample)} TFs; expected at most {POSITION_END}")
        if tfs is not None and len(tfs) != sum(n_sample):
            raise InputError(f"tfs has {len(tfs)} names; expected {sum(n_sample)}, the sum of n_sample")
        replicates = self.replicates
        if replicates is not None:
            replicates = check_integer("replicates", replicates, least=1, most=POSITION_END)
        self._set(genes=genes, bound=bound, n_sample=n_sample, tfs=tfs, replicates=replicates)

    def _check_bound(self) -> tuple[tuple[float, ...], tuple[str, ...] | None]:
        """Return bound fractions and TF names; a dict from names to fractions gives both."""
        tfs = None if self.tfs is None else check_names("tfs", self.tfs)
        value = unwrap(self.bound)
        if isinstance(value, Mapping):
            if tfs is not None and tfs != tuple(value):
                raise InputError("bound and tfs both name TFs; expected the same names in the same order, or only one")
            tfs = check_names("bound", list(value))
            value = list(value.values())
        elif isinstance(value, Real):
            value = [value]
        fractions = check_sequence("bound", value, "a fraction from 0 to 1, a list of them, or a dict from TFs to them")
        if not fractions:
            raise InputError("bound is empty; expected at least one fraction from 0 to 1")
        return tuple(check_number(f"bound[{i}]", b, least=0, most=1) for i, b in enumerate(fractions)), tfs

    @property
    def n_genes(self) -> int:
        """How many genes there are."""
        return self.genes if isinstance(self.genes, int) else len(self.genes)

    @property
    def tf_labels(self) -> Sequence[Hashable]:
        """The labels of the TFs, which are their names or integers from 0."""
        fields: Any = self  # of the types that checking gives them
        return range(sum(fields.n_sample)) if self.tfs is None else fields.tfs

    @property
    def bound_fractions(self) -> list[float]:
        """The bound fraction of each TF."""
        fields: Any = self  # of the types that checking gives them
        return [fraction for fraction, n in zip(fields.bound, fields.n_sample, strict=True) for _ in range(n)]


@dataclass(frozen=True, kw_only=True)
class BindingParameters(Parameters):
    """Step 2: inclusive ranges of hops, their totals and the pseudocount."""

    background_hops_range: tuple[int, int] = field(
        default=(1, 100),
        metadata=make_help("First and last number of background hops, such as 1,100.", list[int]),
    )
    unbound_experiment_hops_range: tuple[int, int] = field(
        default=(0, 1),
        metadata=make_help("The same for experiment hops of unbound pairs, such as 0,1.", list[int]),
    )
    bound_experiment_hops_range: tuple[int, int] = field(
        default=(1, 6),
        metadata=make_help("The same for experiment hops of bound pairs, such as 1,6.", list[int]),
    )
    total_background_hops: int = field(default=1000, metadata=make_help("Total number of background hops.", int))
    total_experiment_hops: int = field(default=76, metadata=make_help("Total number of experiment hops.", int))
    pseudocount: float = field(default=1e-10, metadata=make_help("What keeps the enrichment finite.", float))

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(
            background_hops_range=check_range("background_hops_range", self.background_hops_range, least=0),
            unbound_experiment_hops_range=check_range(
                "unbound_experiment_hops_range", self.unbound_experiment_hops_range, least=0
            ),
            bound_experiment_hops_range=check_range(
                "bound_experiment_hops_range", self.bound_experiment_hops_range, least=0
            ),
            total_background_hops=check_integer(
                "total_background_hops", self.total_background_hops, least=1, most=_TOTAL_END
            ),
            total_experiment_hops=check_integer(
                "total_experiment_hops", self.total_experiment_hops, least=1, most=_TOTAL_END
            ),
            pseudocount=check_number("pseudocount", self.pseudocount, least=0),
        )
        if self.background_hops_range[0] == 0 and self.pseudocount == 0:
            raise InputError("pseudocount is 0 and background_hops_range starts at 0; expected one of them above 0")
        if not fits_float32(self.largest_effect):
            raise InputError(
                f"pseudocount is {self.pseudocount:g} and binding effects reach {self.largest_effect:g}; "
                "expected a pseudocount for which float32 can hold them"
            )

    @property
    def factors(self) -> tuple[float, float]:
        """The factor of experiment hops, and what is added to background hops, of which the effect is the ratio."""
        background_total = self.total_background_hops + self.pseudocount
        return background_total / (self.total_experiment_hops + self.pseudocount), self.pseudocount * background_total

    @property
    def hops(self) -> tuple[int, ...]:
        """The first and the count of background, unbound and bound hops."""
        ranges = (self.background_hops_range, self.unbound_experiment_hops_range, self.bound_experiment_hops_range)
        return tuple(number for first, last in ranges for number in (first, last - first + 1))

    def effect(self, experiment_hops: Any, background_hops: Any) -> Any:
        """Return the binding effect of hops, numbers or arrays, in float64."""
        factor, offset = self.factors
        return experiment_hops * factor / (background_hops + offset)

    @property
    def largest_effect(self) -> float:
        """The largest binding effect that the ranges allow."""
        most = max(self.unbound_experiment_hops_range[1], self.bound_experiment_hops_range[1])
        return float(self.effect(float(most), float(self.background_hops_range[0])))


@dataclass(frozen=True, kw_only=True)
class PvalueParameters(Parameters):
    """Steps 2 and 3, p-values: from which quantile of |effect| on a p-value is small, and how small."""

    large_effect_percentile: float = field(
        default=0.9,
        metadata=make_help("Quantile of absolute effects from which on a p-value is small.", float),
    )
    large_effect_upper_pval: float = field(default=0.2, metadata=make_help("Upper end of small p-values.", float))

    def __post_init__(self) -> None:
        super().__post_init__()
        names = ("large_effect_percentile", "large_effect_upper_pval")
        self._set(**{name: check_number(name, getattr(self, name), least=0, most=1) for name in names})


@dataclass(frozen=True, kw_only=True)
class PerturbationParameters(Parameters):
    """Step 3: means and standard deviations, and how binding and relations of TFs adjust the mean."""

    unbound_mean: float = field(default=0.0, metadata=make_help("Mean perturbation effect of unbound pairs.", float))
    unbound_std: float = field(default=1.0, metadata=make_help("Standard deviation of unbound pairs.", float))
    bound_mean: float = field(default=3.0, metadata=make_help("Mean perturbation effect of bound pairs.", float))
    bound_std: float = field(default=1.0, metadata=make_help("Standard deviation of bound pairs.", float))
    max_mean_adjustment: float = field(
        default=0.0, metadata=make_help("Largest increase of the mean by binding (methods 2 to 4).", float)
    )
    tf_relationships: Mapping[Any, Any] | None = field(
        default=None, metadata=make_help("Conditions of each TF (methods 3 and 4).")
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        means = ("unbound_mean", "bound_mean", "max_mean_adjustment")
        self._set(**{name: check_number(name, getattr(self, name)) for name in means})
        stds = ("unbound_std", "bound_std")
        self._set(**{name: check_number(name, getattr(self, name), least=0) for name in stds})
        values = {name: abs(getattr(self, name)) for name in (*means, *stds)}
        largest = max(values, key=lambda name: values[name])
        if not fits_float32(sum(values.values()) * LARGEST_NORMAL):
            raise InputError(
                f"{largest} is {getattr(self, largest):g}; expected a number for which float32 can hold the effects"
            )

    def check_tfs(self, tfs: Iterable[Hashable]) -> None:
        """Check that the relationships name TFs among these."""
        if self.tf_relationships is not None:
            self._set(tf_relationships=check_relationships(self.tf_relationships, tfs))
