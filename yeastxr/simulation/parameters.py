"""The parameters of each step: names, defaults, help and validation.

The functions of :mod:`yeastxr.simulation.steps`, :class:`yeastxr.SimulationSpec` and the command line use these
declarations.
"""

import json
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from numbers import Integral, Real
from typing import Any, Self

import numpy as np

from yeastxr._validate import (
    POSITION_END,
    check_choice,
    check_flag,
    check_integer,
    check_names,
    check_number,
    check_range,
    check_sequence,
    find_names,
    unwrap,
)
from yeastxr.errors import InputError, InputTypeError, format_value
from yeastxr.names.catalog import YEAST, list_genes, list_tfs
from yeastxr.schema import (
    ADJUSTED,
    BACKGROUND_HOPS,
    BINDING,
    BOUND_FRACTION,
    EXPERIMENT_HOPS,
    LABEL,
    MAGNITUDE,
    PERTURBATION,
    RESPONSIVE,
)
from yeastxr.simulation.relations import check_relationships, to_json, to_plain
from yeastxr.simulation.tables import LEAST_VARIANCE, MOST_HOPS

LARGEST_NORMAL = 9.5  # above the largest normal number that the kernels draw
MEASUREMENT_END = 2**24 - 1  # a measurement's number takes the upper 24 bits of the stream word
HOP_DISTRIBUTIONS, PVALUE_RULES = ("uniform", "negative_binomial"), ("tutorial", "test")
KEPT = ("hops", "adjusted")  # parameters that select extra variables; no step has them
_HOP_MEANS = ("background_hops_mean", "unbound_experiment_hops_mean", "bound_experiment_hops_mean")
LEAST_RESPONSIVENESS, MOST_RESPONSIVENESS = 1e-6, 0.99
LEAST_CONCENTRATION, MOST_CONCENTRATION = 0.01, 1e6  # of beta distributions whose quantiles are tabulated
_MOST_DISPERSION, _MOST_MEAN = 100.0, 10_000.0  # of hops whose distribution is tabulated
_TOTAL_END = 2**53  # float64 counts exactly up to here
_FLOAT32_MAX = float(np.finfo(np.float32).max)

FIXED = ("genes", "tfs", "replicates", "measurements", "hops", "adjusted")
"""Parameters with the same value in all points of a sweep: they determine labels, lengths and variables."""

_ALL_HOPS = ("hop_distribution", "promoter_dispersion", "seed")
_TOTALS = ("total_experiment_hops", "total_background_hops")
_LARGE = ("pvalues", "large_effect_percentile", "large_effect_upper_pval", "seed")
_MISSING_FRACTIONS = ("missing_gene_fraction", "missing_pair_fraction")
SOURCES: dict[str, tuple[str, ...]] = {
    BOUND_FRACTION: ("bound", "n_sample", "bound_concentration", "seed"),
    LABEL: (BOUND_FRACTION, "seed"),
    BACKGROUND_HOPS: (*_ALL_HOPS, "background_hops_range", "background_hops_mean", "background_hops_dispersion"),
    EXPERIMENT_HOPS: (
        LABEL,
        *_ALL_HOPS,
        "unbound_experiment_hops_range",
        "bound_experiment_hops_range",
        "unbound_experiment_hops_mean",
        "bound_experiment_hops_mean",
        "experiment_hops_dispersion",
    ),
    BINDING: (EXPERIMENT_HOPS, BACKGROUND_HOPS, *_TOTALS, "pseudocount"),
    "binding_pvalue": (BINDING, EXPERIMENT_HOPS, BACKGROUND_HOPS, *_TOTALS, *_LARGE, "poisson_pseudocount"),
    RESPONSIVE: (LABEL, "responsive_fraction", "indirect_fraction", "gene_responsiveness", "seed"),
    ADJUSTED: (LABEL, RESPONSIVE, "tf_relationships"),
    MAGNITUDE: (
        ADJUSTED,
        BINDING,
        "unbound_mean",
        "unbound_std",
        "bound_mean",
        "bound_std",
        "max_mean_adjustment",
        *_MISSING_FRACTIONS,
        "seed",
    ),
    PERTURBATION: (MAGNITUDE, "positive_fraction", "batch_std"),
    "perturbation_pvalue": (MAGNITUDE, PERTURBATION, *_LARGE),
}
"""The parameters and variables that each variable, and the coordinate ``bound_fraction``, depends on.

With :data:`FIXED` these are all parameters; a test compares them with simulations. A swept parameter is a dimension of
exactly the variables that depend on it.
"""


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Base class of groups: validation on creation, and conversion from and to plain values."""

    def __post_init__(self) -> None:
        """Check and normalize all fields; subclasses extend this."""

    @property
    def extends_tutorial(self) -> bool:
        """Whether a parameter that extends the tutorial differs from its default."""
        return any(field.metadata["extends"] and getattr(self, field.name) != field.default for field in fields(self))

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def to_dict(self) -> dict[str, Any]:
        """Return the parameters as plain values for JSON.

        Returns
        -------
        dict
            A dict from names to numbers, strings, lists and None. Parameters that extend the tutorial are omitted at
            their defaults, so that the attributes of the tutorial's data do not change.
        """
        values = self._list_values()
        if values.get("tf_relationships") is not None:
            values["tf_relationships"] = to_json(values["tf_relationships"])
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    def write_values(self) -> dict[str, str]:
        """Return the JSON of each parameter; ``join_json`` joins it to the JSON of :meth:`to_dict`."""
        values = self._list_values()
        if values.get("tf_relationships") is not None:
            values["tf_relationships"] = {str(tf): entries for tf, entries in values["tf_relationships"].items()}
        return {name: json.dumps(value, default=to_plain) for name, value in values.items()}

    def _list_values(self) -> dict[str, Any]:
        """Return the parameters, except those that extend the tutorial and have their defaults."""
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if not field.metadata["extends"] or getattr(self, field.name) != field.default
        }

    @classmethod
    def pick(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return this group's entries of values of a whole specification."""
        return {field.name: values[field.name] for field in fields(cls) if field.name in values}

    @classmethod
    def extract(cls, source: "Parameters | Mapping[str, Any]") -> Self:
        """Extract this group from a specification, which is already validated, or from a dict."""
        names = [field.name for field in fields(cls)]
        if not isinstance(source, Parameters):
            return cls(**{name: source[name] for name in names if name in source})
        group = object.__new__(cls)
        group._set(**{name: getattr(source, name) for name in names})
        return group


def scale_chance(chance: float) -> int:
    """Return the number below which 32 random bits lie with the given probability, from 0 to 2**32."""
    return round(chance * 2**32)


def join_json(values: Mapping[str, str]) -> str:
    """Join the JSON of values to a JSON object."""
    return f"{{{', '.join(f'{json.dumps(name)}: {text}' for name, text in values.items())}}}"


def fits_float32(value: float) -> bool:
    """Return whether a number is finite in float32."""
    return abs(value) <= _FLOAT32_MAX


def make_help(text: str, option: Any = None, *, extends: bool = False) -> dict[str, Any]:
    """Return a field's metadata for the command line: help, and the option type if it is a plain type.

    ``extends`` marks parameters that extend the tutorial.
    """
    return {"help": text, "option": option, "extends": extends}


@dataclass(frozen=True, kw_only=True)
class PopulationParameters(Parameters):
    """Step 1: genes, TFs, and the number of genes that each TF binds."""

    genes: int | Collection[str] = field(
        metadata=make_help("Number of genes, or their names, or 'yeast' for all ORFs.")
    )
    bound: float | Collection[float] | Mapping[str, float] = field(
        metadata=make_help("Bound fractions, each from 0 to 1, such as 0.1,0.2.", list[float])
    )
    n_sample: int | Collection[int] | None = field(
        default=None,
        metadata=make_help(
            "Number of TFs for each bound fraction, such as 100,100 (default: 1, or for a single fraction the "
            "number of names).",
            list[int],
        ),
    )
    tfs: Collection[str] | None = field(
        default=None,
        metadata=make_help(
            "Names of the TFs, or 'yeast' for all with known motifs (default: integers from 0).", list[str]
        ),
    )
    replicates: int | None = field(
        default=None, metadata=make_help("Number of replicates (default: no such dimension).", int)
    )
    bound_concentration: float | None = field(
        default=None,
        metadata=make_help(
            "Draw each TF's bound fraction from a beta distribution with this concentration (default: fixed).",
            float,
            extends=True,
        ),
    )
    measurements: int | None = field(
        default=None,
        metadata=make_help(
            "Number of measurements with the same truth in each replicate (default: no such dimension).",
            int,
            extends=True,
        ),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        genes: int | tuple[str, ...]
        if isinstance(self.genes, str):
            if self.genes != YEAST:
                raise InputTypeError(
                    f"genes is {format_value(self.genes)}; expected an integer from 1, a list of names, or {YEAST!r}"
                )
            genes = list_genes()
        elif isinstance(self.genes, Collection) and getattr(self.genes, "ndim", 1) != 0:
            genes = check_names("genes", self.genes)
        else:
            genes = check_integer("genes", self.genes, least=1, most=POSITION_END)
        bound, tfs = self._check_bound()
        if self.n_sample is None or isinstance(unwrap(self.n_sample), Integral):
            default = len(tfs) if tfs is not None and len(bound) == 1 else 1
            counts = [default if self.n_sample is None else self.n_sample] * len(bound)
        else:
            counts = check_sequence("n_sample", self.n_sample, "an integer of at least 1, or a list of such integers")
        if len(counts) != len(bound):
            raise InputError(
                f"n_sample has {len(counts)} entries and bound has {len(bound)}; expected one count for each fraction"
            )
        n_sample = tuple(check_integer(f"n_sample[{i}]", n, least=1, most=POSITION_END) for i, n in enumerate(counts))
        if sum(n_sample) > POSITION_END:
            raise InputError(f"n_sample adds up to {sum(n_sample)} TFs; expected at most {POSITION_END}")
        if tfs is not None and len(tfs) != sum(n_sample):
            fewer = tfs == list_tfs() and sum(n_sample) < len(tfs)
            hint = f", such as yx.names.tfs().index[:{sum(n_sample)}]" if fewer else ""
            named = "bound names" if self.tfs is None else "tfs has"
            what = "TFs" if self.tfs is None else "names"
            raise InputError(f"{named} {len(tfs)} {what}; expected {sum(n_sample)}, the sum of n_sample{hint}")
        replicates = self.replicates
        if replicates is not None:
            replicates = check_integer("replicates", replicates, least=1, most=POSITION_END)
        measurements = self.measurements
        if measurements is not None:
            measurements = check_integer("measurements", measurements, least=1, most=MEASUREMENT_END)
        self._set(
            genes=genes, bound=bound, n_sample=n_sample, tfs=tfs, replicates=replicates, measurements=measurements
        )
        if self.bound_concentration is not None:
            self._set(bound_concentration=check_number("bound_concentration", self.bound_concentration))
            if not LEAST_CONCENTRATION <= self.bound_concentration <= MOST_CONCENTRATION:
                raise InputError(
                    f"bound_concentration is {self.bound_concentration:g}; "
                    f"expected a number from {LEAST_CONCENTRATION:g} to {MOST_CONCENTRATION:g}"
                )

    def _check_bound(self) -> tuple[tuple[float, ...], tuple[str, ...] | None]:
        """Return bound fractions and TF names; a dict or a Series with names contains both."""
        tfs = self._check_tf_names()
        value = unwrap(self.bound)
        names = find_names(value)
        if names is not None:
            value = dict(zip(check_names("bound", names), check_sequence("bound", value, "fractions"), strict=True))
        if isinstance(value, Mapping):
            if tfs is not None and tfs != tuple(value):
                raise InputError("bound and tfs both name TFs; expected the same names and order, or only one of them")
            tfs = check_names("bound", list(value))
            value = list(value.values())
        elif isinstance(value, Real):
            value = [value]
        fractions = check_sequence(
            "bound", value, "a fraction from 0 to 1, a list of fractions, or a dict from TFs to fractions"
        )
        if not fractions:
            raise InputError("bound is empty; expected at least one fraction from 0 to 1")
        return tuple(check_number(f"bound[{i}]", b, least=0, most=1) for i, b in enumerate(fractions)), tfs

    def _check_tf_names(self) -> tuple[str, ...] | None:
        """Return the names of TFs; a keyword stands for those of the catalog."""
        if not isinstance(self.tfs, str):
            return None if self.tfs is None else check_names("tfs", self.tfs)
        if self.tfs != YEAST:
            raise InputTypeError(f"tfs is {format_value(self.tfs)}; expected a list of unique names, or {YEAST!r}")
        return list_tfs()

    @property
    def n_genes(self) -> int:
        """The number of genes."""
        return self.genes if isinstance(self.genes, int) else len(self.genes)

    @property
    def tf_labels(self) -> Sequence[Hashable]:
        """The labels of the TFs, which are names, or integers from 0."""
        fields: Any = self  # types after validation
        return range(sum(fields.n_sample)) if self.tfs is None else fields.tfs

    @property
    def bound_fractions(self) -> list[float]:
        """The bound fraction of each TF; random fractions depend on the seed of the specification."""
        return self.find_bound_fractions(getattr(self, "seed", None))

    def find_bound_fractions(self, seed: int | None) -> list[float]:
        """Return the bound fraction of each TF, which is random if there is a concentration."""
        fields: Any = self  # types after validation
        means = [fraction for fraction, n in zip(fields.bound, fields.n_sample, strict=True) for _ in range(n)]
        if self.bound_concentration is None:
            return means
        from yeastxr.simulation.extended import draw_bound_fractions

        if seed is None:
            raise InputError("bound_concentration needs a seed to draw fractions; expected an integer")
        return draw_bound_fractions(means, self.bound_concentration, seed)


@dataclass(frozen=True, kw_only=True)
class BindingParameters(Parameters):
    """Step 2: inclusive ranges of hops, their totals and the pseudocount."""

    background_hops_range: tuple[int, int] = field(
        default=(1, 100),
        metadata=make_help("First and last number of background hops, such as 1,100.", list[int]),
    )
    unbound_experiment_hops_range: tuple[int, int] = field(
        default=(0, 1),
        metadata=make_help("First and last number of experiment hops of unbound pairs, such as 0,1.", list[int]),
    )
    bound_experiment_hops_range: tuple[int, int] = field(
        default=(1, 6),
        metadata=make_help("First and last number of experiment hops of bound pairs, such as 1,6.", list[int]),
    )
    total_background_hops: int = field(default=1000, metadata=make_help("Total number of background hops.", int))
    total_experiment_hops: int = field(default=76, metadata=make_help("Total number of experiment hops.", int))
    pseudocount: float = field(
        default=1e-10, metadata=make_help("Pseudocount that keeps the enrichment finite.", float)
    )
    hop_distribution: str = field(
        default="uniform",
        metadata=make_help("Distribution of hops: uniform (over the ranges) or negative_binomial.", str, extends=True),
    )
    background_hops_mean: float | None = field(
        default=None, metadata=make_help("Mean of background hops (negative binomial).", float, extends=True)
    )
    unbound_experiment_hops_mean: float | None = field(
        default=None,
        metadata=make_help("Mean of experiment hops of unbound pairs (negative binomial).", float, extends=True),
    )
    bound_experiment_hops_mean: float | None = field(
        default=None,
        metadata=make_help("Mean of experiment hops of bound pairs (negative binomial).", float, extends=True),
    )
    background_hops_dispersion: float = field(
        default=0.0,
        metadata=make_help(
            "Dispersion d of background hops with mean m and variance m + d m^2; 0 is Poisson.", float, extends=True
        ),
    )
    experiment_hops_dispersion: float = field(
        default=0.0, metadata=make_help("Dispersion of experiment hops.", float, extends=True)
    )
    promoter_dispersion: float = field(
        default=0.0,
        metadata=make_help(
            "Variance of a gamma factor with mean 1 that multiplies the mean of all hops of a gene.",
            float,
            extends=True,
        ),
    )
    hops: bool = field(
        default=False, metadata=make_help("Keep the variables experiment_hops and background_hops.", bool, extends=True)
    )

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
        self._check_distribution()
        if self.is_tabulated and self.pseudocount == 0:
            raise InputError(
                "pseudocount is 0 and hop_distribution is 'negative_binomial'; expected a pseudocount above 0"
            )
        if not self.is_tabulated and self.background_hops_range[0] == 0 and self.pseudocount == 0:
            raise InputError("pseudocount is 0 and background_hops_range starts at 0; expected one of them above 0")
        # Tables are computed on demand.
        largest = float(self.effect(float(MOST_HOPS), 0.0)) if self.is_tabulated else self.largest_effect
        if not fits_float32(largest):
            raise InputError(
                f"pseudocount is {self.pseudocount:g} and binding effects reach {largest:g}, which is too large; "
                "expected a pseudocount for which they fit into float32"
            )

    def _check_distribution(self) -> None:
        """Check the parameters of the distribution of hops, and raise for those of the other distribution."""
        check_choice("hop_distribution", self.hop_distribution, HOP_DISTRIBUTIONS)
        check_flag("hops", self.hops)
        given = [name for name in _HOP_MEANS if getattr(self, name) is not None]
        dispersions = ("background_hops_dispersion", "experiment_hops_dispersion", "promoter_dispersion")
        for name in (*given, *dispersions):
            most = _MOST_MEAN if name in given else _MOST_DISPERSION
            self._set(**{name: check_number(name, getattr(self, name), least=0, most=most)})
        if 0 < self.promoter_dispersion < LEAST_VARIANCE:
            raise InputError(
                f"promoter_dispersion is {self.promoter_dispersion:g}; "
                f"expected 0, or a number from {LEAST_VARIANCE:g} to {_MOST_DISPERSION:g}"
            )
        given += [name for name in dispersions if getattr(self, name)]
        if not self.is_tabulated and given:
            raise InputError(
                f"{', '.join(given)} can't be used with hop_distribution='uniform'; "
                "expected hop_distribution='negative_binomial'"
            )
        missing = [name for name in _HOP_MEANS if getattr(self, name) is None]
        if self.is_tabulated and missing:
            raise InputError(
                f"hop_distribution is 'negative_binomial' without {', '.join(missing)}; expected all means"
            )
        ranges = [f.name for f in fields(BindingParameters) if f.name.endswith("_range")]
        changed = [name for name in ranges if getattr(self, name) != getattr(BindingParameters, name)]
        if self.is_tabulated and changed:
            raise InputError(
                f"{', '.join(changed)} can't be used with hop_distribution='negative_binomial'; "
                "expected means instead of ranges"
            )

    @property
    def is_tabulated(self) -> bool:
        """Whether hops follow a tabulated negative binomial distribution instead of ranges."""
        return self.hop_distribution == "negative_binomial"

    @property
    def factors(self) -> tuple[float, float]:
        """The factor of experiment hops, and the number added to background hops; the effect is their ratio."""
        background_total = self.total_background_hops + self.pseudocount
        return background_total / (self.total_experiment_hops + self.pseudocount), self.pseudocount * background_total

    @property
    def hop_ranges(self) -> tuple[int, ...]:
        """The first and the count of background, unbound and bound hops."""
        ranges = (self.background_hops_range, self.unbound_experiment_hops_range, self.bound_experiment_hops_range)
        return tuple(number for first, last in ranges for number in (first, last - first + 1))

    def effect(self, experiment_hops: Any, background_hops: Any) -> Any:
        """Return the binding effect of hops, numbers or arrays, in float64."""
        factor, offset = self.factors
        return experiment_hops * factor / (background_hops + offset)

    @property
    def largest_effect(self) -> float:
        """The largest binding effect that the ranges, or the tables, of hops allow."""
        from yeastxr.simulation.extended import find_hop_ends

        (least, _), (_, most) = find_hop_ends(self)
        return float(self.effect(float(most), float(least)))


@dataclass(frozen=True, kw_only=True)
class PvalueParameters(Parameters):
    """Steps 2 and 3, p-values: their rule, and its limits of large effects and small p-values."""

    large_effect_percentile: float = field(
        default=0.9,
        metadata=make_help("Quantile of absolute effects above which p-values are small.", float),
    )
    large_effect_upper_pval: float = field(default=0.2, metadata=make_help("Upper end of small p-values.", float))
    pvalues: str = field(
        default="tutorial",
        metadata=make_help("Rule of p-values: tutorial (random) or test (tests of effects).", str, extends=True),
    )
    poisson_pseudocount: float = field(
        default=0.1,
        metadata=make_help("Pseudocount of background hops in binding tests (pvalues=test).", float, extends=True),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        names = ("large_effect_percentile", "large_effect_upper_pval")
        self._set(**{name: check_number(name, getattr(self, name), least=0, most=1) for name in names})
        check_choice("pvalues", self.pvalues, PVALUE_RULES)
        self._set(poisson_pseudocount=check_number("poisson_pseudocount", self.poisson_pseudocount, least=0, most=1e6))
        defaults = PvalueParameters
        of_other = (
            [name for name in names if getattr(self, name) != getattr(defaults, name)]
            if self.tests_effects
            else [name for name in ("poisson_pseudocount",) if getattr(self, name) != getattr(defaults, name)]
        )
        if of_other:
            other = "tutorial" if self.tests_effects else "test"
            raise InputError(
                f"{', '.join(of_other)} can't be used with pvalues={self.pvalues!r}; expected pvalues={other!r}"
            )

    @property
    def tests_effects(self) -> bool:
        """Whether p-values come from tests of the effects; otherwise they are random."""
        return self.pvalues == "test"


@dataclass(frozen=True, kw_only=True)
class ResponseParameters(Parameters):
    """Step 3, responses: the pairs that respond; in the tutorial these are the bound pairs."""

    responsive_fraction: float = field(
        default=1.0, metadata=make_help("Fraction of bound pairs that respond.", float, extends=True)
    )
    indirect_fraction: float = field(
        default=0.0, metadata=make_help("Fraction of unbound pairs that respond.", float, extends=True)
    )
    gene_responsiveness: float = field(
        default=0.0,
        metadata=make_help(
            "Correlation of the responses of a gene to different TFs, from 0 to below 1.", float, extends=True
        ),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        names = ("responsive_fraction", "indirect_fraction", "gene_responsiveness")
        self._set(**{name: check_number(name, getattr(self, name), least=0, most=1) for name in names})
        if self.gene_responsiveness > MOST_RESPONSIVENESS or 0 < self.gene_responsiveness < LEAST_RESPONSIVENESS:
            raise InputError(
                f"gene_responsiveness is {self.gene_responsiveness:g}; "
                f"expected 0, or a number from {LEAST_RESPONSIVENESS:g} to {MOST_RESPONSIVENESS:g}"
            )
        if self.gene_responsiveness and not self.has_responses:
            raise InputError(
                "gene_responsiveness has no effect if exactly the bound pairs respond; "
                "expected a responsive_fraction below 1 or an indirect_fraction above 0"
            )

    @property
    def has_responses(self) -> bool:
        """Whether the responsive pairs can differ from the bound pairs, unlike in the tutorial."""
        return self.responsive_fraction < 1 or self.indirect_fraction > 0


@dataclass(frozen=True, kw_only=True)
class PerturbationParameters(Parameters):
    """Step 3: means and standard deviations, and the adjustment of means by binding and relations of TFs."""

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
    positive_fraction: float | Collection[float] = field(
        default=0.5,
        metadata=make_help(
            "Fraction of positive effects: one value for all TFs, or one for each.", list[float], extends=True
        ),
    )
    batch_std: float = field(
        default=0.0,
        metadata=make_help(
            "Standard deviation of an offset shared by all effects of a TF in a measurement.", float, extends=True
        ),
    )
    adjusted: bool = field(
        default=False,
        metadata=make_help(
            "Keep the variable adjusted: pairs that respond and whose conditions hold.", bool, extends=True
        ),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        means = ("unbound_mean", "bound_mean", "max_mean_adjustment")
        self._set(**{name: check_number(name, getattr(self, name)) for name in means})
        stds = ("unbound_std", "bound_std", "batch_std")
        self._set(**{name: check_number(name, getattr(self, name), least=0) for name in stds})
        check_flag("adjusted", self.adjusted)
        self._set(positive_fraction=self._check_positive_fraction())
        values = {name: abs(getattr(self, name)) for name in (*means, *stds)}
        largest = max(values, key=lambda name: values[name])
        if not fits_float32(sum(values.values()) * LARGEST_NORMAL):
            raise InputError(
                f"{largest} is {getattr(self, largest):g}; expected a number for which effects fit into float32"
            )

    def _check_positive_fraction(self) -> float | tuple[float, ...]:
        """Return the fraction for all TFs, or one for each."""
        value = unwrap(self.positive_fraction)
        if isinstance(value, Real):
            return check_number("positive_fraction", value, least=0, most=1)
        fractions = check_sequence("positive_fraction", value, "a fraction from 0 to 1, or a list of fractions")
        checked = tuple(check_number(f"positive_fraction[{i}]", f, least=0, most=1) for i, f in enumerate(fractions))
        return checked[0] if len(checked) == 1 else checked

    def list_positive_fractions(self, n_tfs: int) -> tuple[float, ...]:
        """Return the fraction of positive effects of each TF."""
        fractions = self.positive_fraction
        return tuple(fractions) if isinstance(fractions, tuple) else (fractions,) * n_tfs  # type: ignore[return-value]

    def list_negative_from(self, n_tfs: int) -> list[int]:
        """Return for each TF from which number on 31 random bits make an effect negative."""
        return [round(fraction * 2**31) for fraction in self.list_positive_fractions(n_tfs)]

    def check_tfs(self, tfs: Sequence[Hashable]) -> None:
        """Check that the relationships name TFs among these, and that there is a positive fraction for each."""
        if isinstance(self.positive_fraction, tuple) and len(self.positive_fraction) != len(tfs):
            raise InputError(
                f"positive_fraction has {len(self.positive_fraction)} entries; "
                f"expected 1, or {len(tfs)} (one for each TF)"
            )
        if self.tf_relationships is not None:
            self._set(tf_relationships=check_relationships(self.tf_relationships, tfs))


@dataclass(frozen=True, kw_only=True)
class MissingParameters(Parameters):
    """Missing perturbation effects, which are NaN, like their p-values."""

    missing_gene_fraction: float = field(
        default=0.0,
        metadata=make_help("Fraction of genes without perturbation effects for all TFs.", float, extends=True),
    )
    missing_pair_fraction: float = field(
        default=0.0, metadata=make_help("Fraction of other pairs without a perturbation effect.", float, extends=True)
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        names = ("missing_gene_fraction", "missing_pair_fraction")
        self._set(**{name: check_number(name, getattr(self, name), least=0, most=1) for name in names})

    @property
    def has_missing(self) -> bool:
        """Whether values may be missing."""
        return self.missing_gene_fraction > 0 or self.missing_pair_fraction > 0
