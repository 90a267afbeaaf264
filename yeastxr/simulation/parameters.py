"""The parameters of each step, declared once: names, defaults, help, and what is allowed.

The functions of :mod:`yeastxr.simulation.steps`, :class:`yeastxr.SimulationSpec` and the command line take them from
here.
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
KEPT = ("hops", "adjusted")  # parameters that say which extra variables a dataset keeps; no step has them
_HOP_MEANS = ("background_hops_mean", "unbound_experiment_hops_mean", "bound_experiment_hops_mean")
LEAST_RESPONSIVENESS, MOST_RESPONSIVENESS = 1e-6, 0.99
LEAST_CONCENTRATION, MOST_CONCENTRATION = 0.01, 1e6  # of beta distributions whose quantiles are tabulated
_MOST_DISPERSION, _MOST_MEAN = 100.0, 10_000.0  # of hops whose distribution is tabulated
_TOTAL_END = 2**53  # float64 counts exactly up to here
_FLOAT32_MAX = float(np.finfo(np.float32).max)

FIXED = ("genes", "tfs", "replicates", "measurements", "hops", "adjusted")
"""Parameters that all points have in common: they decide labels and lengths of dims, and which variables there are."""

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
"""What each variable, and the coordinate ``bound_fraction``, is made of: parameters, and other variables.

With :data:`FIXED` these are all parameters; a test compares them with what simulations give. A swept parameter is a dim
of what it reaches, and of nothing else.
"""


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """The base of each group: checks that run when a group is made, and conversion from and to plain values."""

    def __post_init__(self) -> None:
        """Check and normalise every field; each group does its own and passes on."""

    @property
    def extends_tutorial(self) -> bool:
        """Whether a parameter that extends the tutorial differs from its default."""
        return any(field.metadata["extends"] and getattr(self, field.name) != field.default for field in fields(self))

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def to_dict(self) -> dict[str, Any]:
        """Return the parameters as plain values that JSON holds.

        Returns
        -------
        dict
            From names to numbers, texts, lists and None. Parameters that extend the tutorial are left out where they
            have their defaults, so that the tutorial's data keep their attributes.
        """
        values = self._list_values()
        if values.get("tf_relationships") is not None:
            values["tf_relationships"] = to_json(values["tf_relationships"])
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    def write_values(self) -> dict[str, str]:
        """Return the JSON of each parameter; ``join_json`` makes that of :meth:`to_dict` of it."""
        values = self._list_values()
        if values.get("tf_relationships") is not None:
            values["tf_relationships"] = {str(tf): entries for tf, entries in values["tf_relationships"].items()}
        return {name: json.dumps(value, default=to_plain) for name, value in values.items()}

    def _list_values(self) -> dict[str, Any]:
        """Return the parameters, but for those that extend the tutorial and have their defaults."""
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
        """Take this group out of a specification, whose values are checked already, or out of a dict."""
        names = [field.name for field in fields(cls)]
        if not isinstance(source, Parameters):
            return cls(**{name: source[name] for name in names if name in source})
        group = object.__new__(cls)
        group._set(**{name: getattr(source, name) for name in names})
        return group


def scale_chance(chance: float) -> int:
    """Return the number below which 32 random bits lie with a chance, from 0 to 2**32."""
    return round(chance * 2**32)


def join_json(values: Mapping[str, str]) -> str:
    """Return a JSON object of the JSON of its values."""
    return f"{{{', '.join(f'{json.dumps(name)}: {text}' for name, text in values.items())}}}"


def fits_float32(value: float) -> bool:
    """Return whether float32 holds a number: it does not become infinite."""
    return abs(value) <= _FLOAT32_MAX


def make_help(text: str, option: Any = None, *, extends: bool = False) -> dict[str, Any]:
    """Return a field's metadata for the command line: help, and the type of the option unless that has a format.

    ``extends`` says that the parameter extends the tutorial, which the default is.
    """
    return {"help": text, "option": option, "extends": extends}


@dataclass(frozen=True, kw_only=True)
class PopulationParameters(Parameters):
    """Step 1: which genes there are, which TFs, and how many genes each TF binds."""

    genes: int | Collection[str] = field(metadata=make_help("How many genes, or their names, or 'yeast' for all ORFs."))
    bound: float | Collection[float] | Mapping[str, float] = field(
        metadata=make_help("Bound fractions, each from 0 to 1, such as 0.1,0.2.", list[float])
    )
    n_sample: int | Collection[int] | None = field(
        default=None,
        metadata=make_help(
            "How many TFs for each bound fraction, such as 100,100; one each by default, or for one fraction all "
            "that have names.",
            list[int],
        ),
    )
    tfs: Collection[str] | None = field(
        default=None,
        metadata=make_help(
            "Names of the TFs, or 'yeast' for all with known motifs; integers from 0 by default.", list[str]
        ),
    )
    replicates: int | None = field(default=None, metadata=make_help("How many replicates; none by default.", int))
    bound_concentration: float | None = field(
        default=None,
        metadata=make_help(
            "Draw each TF's bound fraction from a beta distribution of this concentration; fixed by default.",
            float,
            extends=True,
        ),
    )
    measurements: int | None = field(
        default=None,
        metadata=make_help("How many measurements share the truth of a replicate; none by default.", int, extends=True),
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
            counts = check_sequence("n_sample", self.n_sample, "an integer of at least 1, or a list of them")
        if len(counts) != len(bound):
            raise InputError(
                f"n_sample has {len(counts)} entries and bound has {len(bound)}; expected as many counts as fractions"
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
        """Return bound fractions and TF names; a dict from names to fractions, or a Series by names, gives both."""
        tfs = self._check_tf_names()
        value = unwrap(self.bound)
        names = find_names(value)
        if names is not None:
            value = dict(zip(check_names("bound", names), check_sequence("bound", value, "fractions"), strict=True))
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

    def _check_tf_names(self) -> tuple[str, ...] | None:
        """Return the names of TFs, of which one word stands for those of the catalog."""
        if not isinstance(self.tfs, str):
            return None if self.tfs is None else check_names("tfs", self.tfs)
        if self.tfs != YEAST:
            raise InputTypeError(f"tfs is {format_value(self.tfs)}; expected a list of unique names, or {YEAST!r}")
        return list_tfs()

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
        """The bound fraction of each TF; where fractions are drawn, that of the specification's seed."""
        return self.find_bound_fractions(getattr(self, "seed", None))

    def find_bound_fractions(self, seed: int | None) -> list[float]:
        """Return the bound fraction of each TF; they are drawn if there is a concentration."""
        fields: Any = self  # of the types that checking gives them
        means = [fraction for fraction, n in zip(fields.bound, fields.n_sample, strict=True) for _ in range(n)]
        if self.bound_concentration is None:
            return means
        from yeastxr.simulation.extended import draw_bound_fractions

        if seed is None:
            raise InputError(
                "bound_concentration is given without a seed; expected one, from which fractions are drawn"
            )
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
        metadata=make_help("The same for experiment hops of unbound pairs, such as 0,1.", list[int]),
    )
    bound_experiment_hops_range: tuple[int, int] = field(
        default=(1, 6),
        metadata=make_help("The same for experiment hops of bound pairs, such as 1,6.", list[int]),
    )
    total_background_hops: int = field(default=1000, metadata=make_help("Total number of background hops.", int))
    total_experiment_hops: int = field(default=76, metadata=make_help("Total number of experiment hops.", int))
    pseudocount: float = field(default=1e-10, metadata=make_help("What keeps the enrichment finite.", float))
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
            "Dispersion d of background hops of mean m and variance m + d m^2; 0 is Poisson.", float, extends=True
        ),
    )
    experiment_hops_dispersion: float = field(
        default=0.0, metadata=make_help("The same for experiment hops.", float, extends=True)
    )
    promoter_dispersion: float = field(
        default=0.0,
        metadata=make_help(
            "Variance of a gamma factor of mean 1 by which all hops of a gene's promoter vary.", float, extends=True
        ),
    )
    hops: bool = field(
        default=False, metadata=make_help("Keep experiment_hops and background_hops.", bool, extends=True)
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
            raise InputError("pseudocount is 0 and hop_distribution is 'negative_binomial'; expected one above 0")
        if not self.is_tabulated and self.background_hops_range[0] == 0 and self.pseudocount == 0:
            raise InputError("pseudocount is 0 and background_hops_range starts at 0; expected one of them above 0")
        # Tables are made when they are needed, and no longer than that.
        largest = float(self.effect(float(MOST_HOPS), 0.0)) if self.is_tabulated else self.largest_effect
        if not fits_float32(largest):
            raise InputError(
                f"pseudocount is {self.pseudocount:g} and binding effects reach {largest:g}; "
                "expected a pseudocount for which float32 can hold them"
            )

    def _check_distribution(self) -> None:
        """Check the parameters of the distribution of hops, and that they are those of the one that is chosen."""
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
                f"{', '.join(given)} and hop_distribution='uniform' do not go together; "
                "expected hop_distribution='negative_binomial' with them"
            )
        missing = [name for name in _HOP_MEANS if getattr(self, name) is None]
        if self.is_tabulated and missing:
            raise InputError(
                f"hop_distribution is 'negative_binomial' without {', '.join(missing)}; expected a mean each"
            )
        ranges = [f.name for f in fields(BindingParameters) if f.name.endswith("_range")]
        changed = [name for name in ranges if getattr(self, name) != getattr(BindingParameters, name)]
        if self.is_tabulated and changed:
            raise InputError(
                f"{', '.join(changed)} and hop_distribution='negative_binomial' do not go together; "
                "expected means in place of ranges"
            )

    @property
    def is_tabulated(self) -> bool:
        """Whether hops are drawn from tables of a negative binomial distribution, not from ranges."""
        return self.hop_distribution == "negative_binomial"

    @property
    def factors(self) -> tuple[float, float]:
        """The factor of experiment hops, and what is added to background hops, of which the effect is the ratio."""
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
    """Steps 2 and 3, p-values: their rule; for the tutorial's, from which |effect| on they are small, and how small."""

    large_effect_percentile: float = field(
        default=0.9,
        metadata=make_help("Quantile of absolute effects from which on a p-value is small.", float),
    )
    large_effect_upper_pval: float = field(default=0.2, metadata=make_help("Upper end of small p-values.", float))
    pvalues: str = field(
        default="tutorial",
        metadata=make_help("Rule of p-values: tutorial (drawn) or test (tests of the effects).", str, extends=True),
    )
    poisson_pseudocount: float = field(
        default=0.1,
        metadata=make_help(
            "What is added to the background hops of a binding test (pvalues=test).", float, extends=True
        ),
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
                f"{', '.join(of_other)} and pvalues={self.pvalues!r} do not go together; "
                f"expected pvalues={other!r} with them"
            )

    @property
    def tests_effects(self) -> bool:
        """Whether p-values are those of tests, and functions of what is tested; otherwise they are drawn."""
        return self.pvalues == "test"


@dataclass(frozen=True, kw_only=True)
class ResponseParameters(Parameters):
    """Step 3, responses: which pairs respond; in the tutorial those that are bound."""

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
                "gene_responsiveness is given, and exactly the bound pairs respond; "
                "expected a responsive_fraction below 1 or an indirect_fraction above 0 with it"
            )

    @property
    def has_responses(self) -> bool:
        """Whether pairs that respond are not exactly those that are bound, as in the tutorial."""
        return self.responsive_fraction < 1 or self.indirect_fraction > 0


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
    positive_fraction: float | Collection[float] = field(
        default=0.5,
        metadata=make_help(
            "Fraction of effects that are positive: for all TFs, or a list of one for each.", list[float], extends=True
        ),
    )
    batch_std: float = field(
        default=0.0,
        metadata=make_help(
            "Standard deviation of an offset that all effects of a TF share in a measurement.", float, extends=True
        ),
    )
    adjusted: bool = field(
        default=False,
        metadata=make_help("Keep adjusted: where a pair responds and its conditions hold.", bool, extends=True),
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
                f"{largest} is {getattr(self, largest):g}; expected a number for which float32 can hold the effects"
            )

    def _check_positive_fraction(self) -> float | tuple[float, ...]:
        """Return the fraction of all TFs, or one for each."""
        value = unwrap(self.positive_fraction)
        if isinstance(value, Real):
            return check_number("positive_fraction", value, least=0, most=1)
        fractions = check_sequence("positive_fraction", value, "a fraction from 0 to 1, or a list of them")
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
                f"expected one, or {len(tfs)}, one for each TF"
            )
        if self.tf_relationships is not None:
            self._set(tf_relationships=check_relationships(self.tf_relationships, tfs))


@dataclass(frozen=True, kw_only=True)
class MissingParameters(Parameters):
    """Which perturbation effects are missing: NaN, as their p-values are."""

    missing_gene_fraction: float = field(
        default=0.0,
        metadata=make_help("Fraction of genes without perturbation effects of any TF.", float, extends=True),
    )
    missing_pair_fraction: float = field(
        default=0.0, metadata=make_help("Fraction of other pairs without one.", float, extends=True)
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        names = ("missing_gene_fraction", "missing_pair_fraction")
        self._set(**{name: check_number(name, getattr(self, name), least=0, most=1) for name in names})

    @property
    def has_missing(self) -> bool:
        """Whether values may be missing."""
        return self.missing_gene_fraction > 0 or self.missing_pair_fraction > 0
