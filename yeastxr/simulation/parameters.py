"""The parameters of each step, declared once: names, defaults, meaning, and what is allowed.

The functions of :mod:`yeastxr.simulation.steps`, :class:`yeastxr.SimulationSpec` and the command line take them from
here.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

from yeastxr._validate import POSITION_END, check_integer, check_names, check_number, check_range, check_sequence
from yeastxr.errors import InputError, InputTypeError, format_value
from yeastxr.simulation.relations import check_relationships, to_json


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """What groups of parameters share: checks that run on making one, and a form that JSON holds."""

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

    @classmethod
    def among(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return those of some values that are parameters of this group, by name."""
        return {field.name: values[field.name] for field in fields(cls) if field.name in values}

    @classmethod
    def of(cls, other: "Parameters") -> Self:
        """Return this group of parameters out of a larger one."""
        return cls(**{field.name: getattr(other, field.name) for field in fields(cls)})


@dataclass(frozen=True, kw_only=True)
class PopulationParameters(Parameters):
    """Step 1: which genes there are, which TFs, and how many genes each TF binds."""

    genes: int | Sequence[str]
    bound: Sequence[float]
    n_sample: Sequence[int] | None = None
    tfs: Sequence[str] | None = None
    replicates: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        genes: int | tuple[str, ...]
        if isinstance(self.genes, list | tuple) or getattr(self.genes, "ndim", 0) == 1:
            genes = check_names("genes", self.genes)
        elif isinstance(self.genes, str):
            raise InputTypeError(f"genes is {format_value(self.genes)}; expected an integer from 1, or a list of names")
        else:
            genes = check_integer("genes", self.genes, least=1, most=POSITION_END)
        fractions = check_sequence("bound", self.bound, "a list of fractions from 0 to 1")
        if not fractions:
            raise InputError("bound is empty; expected at least one fraction from 0 to 1")
        bound = tuple(check_number(f"bound[{i}]", b, least=0, most=1) for i, b in enumerate(fractions))
        counts = [1] * len(bound) if self.n_sample is None else self.n_sample
        counts = check_sequence("n_sample", counts, "a list of counts of at least 1")
        if len(counts) != len(bound):
            raise InputError(
                f"n_sample has {len(counts)} entries and bound has {len(bound)}; expected as many counts as fractions"
            )
        n_sample = tuple(check_integer(f"n_sample[{i}]", n, least=1) for i, n in enumerate(counts))
        if sum(n_sample) > POSITION_END:
            raise InputError(f"n_sample adds up to {sum(n_sample)} TFs; expected at most {POSITION_END}")
        tfs = None if self.tfs is None else check_names("tfs", self.tfs)
        if tfs is not None and len(tfs) != sum(n_sample):
            raise InputError(f"tfs has {len(tfs)} names; expected {sum(n_sample)}, the sum of n_sample")
        replicates = self.replicates
        if replicates is not None:
            replicates = check_integer("replicates", replicates, least=1, most=POSITION_END)
        self._set(genes=genes, bound=bound, n_sample=n_sample, tfs=tfs, replicates=replicates)

    @property
    def n_genes(self) -> int:
        """How many genes there are."""
        return self.genes if isinstance(self.genes, int) else len(self.genes)

    @property
    def tf_labels(self) -> Sequence[Hashable]:
        """The labels of the TFs, which are their names or integers from 0."""
        return range(sum(self.n_sample or ())) if self.tfs is None else self.tfs

    @property
    def bound_fractions(self) -> list[float]:
        """The bound fraction that is asked for, one for each TF."""
        return [b for b, n in zip(self.bound, self.n_sample or (), strict=True) for _ in range(n)]


@dataclass(frozen=True, kw_only=True)
class BindingParameters(Parameters):
    """Step 2: the hops, inclusive ranges of them, their totals and the pseudocount."""

    background_hops_range: tuple[int, int] = (1, 100)
    unbound_experiment_hops_range: tuple[int, int] = (0, 1)
    bound_experiment_hops_range: tuple[int, int] = (1, 6)
    total_background_hops: int = 1000
    total_experiment_hops: int = 76
    pseudocount: float = 1e-10

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(
            background_hops_range=check_range("background_hops_range", self.background_hops_range, least=1),
            unbound_experiment_hops_range=check_range(
                "unbound_experiment_hops_range", self.unbound_experiment_hops_range, least=0
            ),
            bound_experiment_hops_range=check_range(
                "bound_experiment_hops_range", self.bound_experiment_hops_range, least=0
            ),
            total_background_hops=check_integer("total_background_hops", self.total_background_hops, least=1),
            total_experiment_hops=check_integer("total_experiment_hops", self.total_experiment_hops, least=1),
            pseudocount=check_number("pseudocount", self.pseudocount, least=0),
        )

    @property
    def totals(self) -> tuple[float, float, float]:
        """The totals of experiment and background hops with the pseudocount added, and the pseudocount."""
        pc = self.pseudocount
        return self.total_experiment_hops + pc, self.total_background_hops + pc, pc

    def effect(self, experiment_hops: Any, background_hops: Any) -> Any:
        """Return the binding effect of some hops, numbers or arrays, in float64."""
        experiment_total, background_total, pc = self.totals
        return (experiment_hops / experiment_total) / (background_hops / background_total + pc)

    @property
    def largest_effect(self) -> float:
        """The largest binding effect that the ranges allow."""
        most = max(self.unbound_experiment_hops_range[1], self.bound_experiment_hops_range[1])
        return float(self.effect(float(most), float(self.background_hops_range[0])))


@dataclass(frozen=True, kw_only=True)
class PvalueParameters(Parameters):
    """Step 3: from which quantile of |effect| on a p-value is small, and how small."""

    large_effect_percentile: float = 0.9
    large_effect_upper_pval: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        names = ("large_effect_percentile", "large_effect_upper_pval")
        self._set(**{name: check_number(name, getattr(self, name), least=0, most=1) for name in names})


@dataclass(frozen=True, kw_only=True)
class PerturbationParameters(Parameters):
    """Step 4: means and standard deviations, and how binding and relations of TFs adjust the mean."""

    unbound_mean: float = 0.0
    unbound_std: float = 1.0
    bound_mean: float = 3.0
    bound_std: float = 1.0
    max_mean_adjustment: float = 0.0
    tf_relationships: Mapping[Any, Iterable[Any]] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        means = ("unbound_mean", "bound_mean", "max_mean_adjustment")
        self._set(**{name: check_number(name, getattr(self, name)) for name in means})
        stds = ("unbound_std", "bound_std")
        self._set(**{name: check_number(name, getattr(self, name), least=0) for name in stds})

    def with_known_tfs(self, tfs: Iterable[Hashable]) -> Self:
        """Check the relationships against the TFs there are."""
        if self.tf_relationships is not None:
            self._set(tf_relationships=check_relationships(self.tf_relationships, tfs))
        return self
