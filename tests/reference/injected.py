"""Datasets with one injected error each: attributes claim a specification that the values do not follow."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from scipy.signal import lfilter
from scipy.special import ndtr, ndtri

import yeastxr as yx
from yeastxr.demo import BOOLEAN_RELATIONS
from yeastxr.schema import FEATURE_NAMES
from yeastxr.simulation.adjustment import MeanModel
from yeastxr.simulation.relations import And, Not, Or

FEATURES = list(FEATURE_NAMES)
Injection = Callable[[yx.SimulationSpec], xr.Dataset]


def repeat_relationships(relationships: dict, n_tfs: int) -> dict:
    """Repeat a dictionary over ten TFs for every ten of many."""

    def shift(entry: object, by: int) -> object:
        if isinstance(entry, And | Or | Not):
            return type(entry)(*(shift(e, by) for e in entry.entries))
        return entry + by

    tens = range(0, n_tfs, 10)
    return {tf + by: [shift(e, by) for e in entries] for by in tens for tf, entries in relationships.items()}


def make_spec(genes: int = 6600, tfs: int = 200, **parameters: object) -> yx.SimulationSpec:
    """Return the specification that incorrect datasets claim to follow: method 4, which has pairs of every status."""
    return yx.SimulationSpec(
        genes=genes,
        bound=[0.1, 0.15, 0.2, 0.25, 0.3],
        n_sample=[tfs // 5] * 5,
        max_mean_adjustment=10.0,
        tf_relationships=repeat_relationships(BOOLEAN_RELATIONS, tfs),
        **{"seed": 5, **parameters},
    )


ODD: dict[str, dict[str, Any]] = {
    "50 genes, 3 TFs": {"genes": 50, "bound": [0.1, 0.3, 0.5], "n_sample": [1, 1, 1]},
    "bound 0 and 1, all effects large": {
        "genes": 200,
        "bound": [0.0, 1.0, 0.3],
        "n_sample": [2, 2, 3],
        "large_effect_percentile": 0.0,
    },
    "relations, replicates": {
        "genes": 120,
        "bound": [0.2, 0.6],
        "n_sample": [2, 3],
        "replicates": 4,
        "max_mean_adjustment": 8.0,
        "tf_relationships": {0: [And(1, 2)], 1: [Not(3)], 4: [Or(0, 1)]},
    },
    "bound s.d. 0, one large effect": {
        "genes": 300,
        "bound": [0.1, 0.2],
        "n_sample": [3, 40],
        "bound_std": 0.0,
        "large_effect_percentile": 1.0,
        "large_effect_upper_pval": 0.0,
    },
    "60 genes, 200 TFs": {
        "genes": 60,
        "bound": [0.1, 0.4],
        "n_sample": [100, 100],
        "max_mean_adjustment": 5.0,
        "unbound_mean": -1.0,
    },
    "few hops": {
        "genes": 400,
        "bound": [0.05, 0.9],
        "n_sample": [4, 4],
        "background_hops_range": (1, 3),
        "unbound_experiment_hops_range": (0, 2),
        "bound_experiment_hops_range": (1, 2),
        "total_experiment_hops": 5,
        "large_effect_percentile": 0.5,
        "large_effect_upper_pval": 1.0,
    },
}
"""Parameters of unusual simulations, with which correct datasets must fail as rarely as stated."""


def claim(ds: xr.Dataset, spec: yx.SimulationSpec) -> xr.Dataset:
    """Return a dataset whose attributes claim a specification."""
    return ds.assign_attrs(specification=spec.to_json())


def change_parameters(**parameters: object) -> Injection:
    """Inject other parameters than are claimed."""
    return lambda spec: claim(replace(spec, **parameters).simulate(), spec)


def change_values(change: Callable[[dict[str, np.ndarray], np.random.Generator], object]) -> Injection:
    """Inject values ``(gene, tf)`` that are changed in place."""

    def inject(spec: yx.SimulationSpec) -> xr.Dataset:
        ds = spec.simulate().copy(deep=True)
        change({name: ds[name].values for name in FEATURES}, np.random.default_rng(1))
        return ds

    return inject


def flip_signs(share_bound: float, share_unbound: float) -> Injection:
    """Make positive what was negative, for a share of bound and of unbound pairs."""

    def change(planes: dict[str, np.ndarray], rng: np.random.Generator) -> None:
        effect, label = planes["perturbation_effect"], planes["label"]
        share = np.where(label, share_bound, share_unbound)
        from_sign = np.where(share > 0, effect < 0, effect > 0)
        flipped = from_sign & (rng.random(effect.shape) < 2 * np.abs(share))
        effect[flipped] *= -1

    return change_values(change)


def _add_label(planes: dict[str, np.ndarray], rng: np.random.Generator) -> None:
    planes["label"][np.flatnonzero(~planes["label"][:, 4])[0], 4] = True


def _repeat_block(planes: dict[str, np.ndarray], rng: np.random.Generator) -> None:
    for values in planes.values():
        values[:, 20:40] = values[:, 0:20]


def _repeat_genes(planes: dict[str, np.ndarray], rng: np.random.Generator) -> None:
    for values in planes.values():
        values[3200:3520] = values[0:320]


def _share_draws(spec: yx.SimulationSpec) -> xr.Dataset:
    """Give TF 150 the draws of TF 3, with its own bound fraction."""
    ds = replace(spec, tf_relationships=None).simulate().copy(deep=True)
    fractions = list(spec.bound_fractions)
    fractions[3] = fractions[150]
    twin = replace(spec, bound=fractions, n_sample=None, tf_relationships=None).simulate()
    for name in FEATURES:
        ds[name].values[:, 150] = twin[name].values[:, 3]
    return ds


def _round(name: str) -> Injection:
    def change(planes: dict[str, np.ndarray], rng: np.random.Generator) -> None:
        planes[name][...] = planes[name].astype(np.float16)

    return change_values(change)


def _permute(planes: dict[str, np.ndarray], rng: np.random.Generator) -> None:
    planes["binding_effect"][:, 9] = rng.permutation(planes["binding_effect"][:, 9])


def _copy_pvalues(planes: dict[str, np.ndarray], rng: np.random.Generator) -> None:
    planes["perturbation_pvalue"][...] = planes["binding_pvalue"]


def _use_signed_rule(spec: yx.SimulationSpec) -> xr.Dataset:
    ds = spec.simulate()
    shifted = (ds["perturbation_effect"] + 100).rename(
        "perturbation_effect"
    )  # so that |effect| is in the order of effect
    return claim(ds.assign(perturbation_pvalue=yx.generate_pvalues(shifted, seed=spec.seed)), spec)


def _overlap_labels(planes: dict[str, np.ndarray], rng: np.random.Generator) -> None:
    """Exchange genes of TF 8, all its values, until it binds a tenth more of what TF 9 binds."""
    ours, theirs = planes["label"][:, 8], planes["label"][:, 9]
    alone, missed = np.flatnonzero(ours & ~theirs)[:66], np.flatnonzero(~ours & theirs)[:66]
    for values in planes.values():
        column = values[:, 8]
        column[np.concatenate([alone, missed])] = column[np.concatenate([missed, alone])]


def _bind_one_gene(planes: dict[str, np.ndarray], rng: np.random.Generator) -> None:
    """Exchange genes, all their values, so that most TFs bind gene 17."""
    for tf in range(150):
        donor = int(np.flatnonzero(planes["label"][:, tf])[0])
        for values in planes.values():
            values[[17, donor], tf] = values[[donor, 17], tf]


def _use_other_method(spec: yx.SimulationSpec) -> xr.Dataset:
    ds = spec.simulate().copy(deep=True)
    plain = replace(spec, max_mean_adjustment=0.0, tf_relationships=None).simulate()
    ds["perturbation_effect"].values[:, 0] = plain["perturbation_effect"].values[:, 0]
    return ds


def _use_and_for_or(spec: yx.SimulationSpec) -> xr.Dataset:
    relations = dict(spec.tf_relationships or {})
    relations[5] = [And(0, 1, 2, 8, 9)]  # claimed: Or, of the same TFs
    return claim(replace(spec, tf_relationships=relations).simulate(), spec)


def _repeat_replicate(spec: yx.SimulationSpec) -> xr.Dataset:
    ds = replace(spec, replicates=3).simulate()
    return claim(ds.isel(replicate=[0, 1, 0]).assign_coords(replicate=[0, 1, 2]), replace(spec, replicates=3))


def _set(name: str, value: float) -> Injection:
    def change(planes: dict[str, np.ndarray], rng: np.random.Generator) -> None:
        planes[name][123, 45] = value

    return change_values(change)


def replace_labels(choose: Callable[[np.ndarray, np.random.Generator], np.ndarray]) -> Injection:
    """Inject labels, which a function chooses, and simulate the other features with them."""

    def inject(spec: yx.SimulationSpec) -> xr.Dataset:
        ds = spec.simulate()
        labels = ds["label"].copy(data=choose(ds["label"].values, np.random.default_rng(1)))
        effect = yx.generate_binding_effects(labels, seed=spec.seed)
        return _finish(spec, labels, effect)

    return inject


def replace_binding(change: Callable[[dict[str, np.ndarray], np.random.Generator], np.ndarray]) -> Injection:
    """Inject binding effects, and simulate the features that depend on them."""

    def inject(spec: yx.SimulationSpec) -> xr.Dataset:
        ds = spec.simulate()
        effect = change({name: ds[name].values.copy() for name in FEATURES}, np.random.default_rng(1))
        return _finish(spec, ds["label"], ds["binding_effect"].copy(data=effect))

    return inject


def _finish(spec: yx.SimulationSpec, labels: xr.DataArray, effect: xr.DataArray) -> xr.Dataset:
    method = {"max_mean_adjustment": spec.max_mean_adjustment, "tf_relationships": spec.tf_relationships}
    method["largest_binding_effect"] = spec.largest_effect
    response = yx.generate_perturbation_effects(labels, effect, **method, seed=spec.seed)
    pvalues = [yx.generate_pvalues(array, seed=spec.seed) for array in (effect, response)]
    ds = yx.assemble(labels, effect, pvalues[0], response, pvalues[1])
    return claim(ds.drop_attrs(deep=False), spec)


def replace_noise(make: Callable[[tuple[int, int], np.random.Generator], np.ndarray]) -> Injection:
    """Inject perturbation effects with other noise, made for a shape (genes, TFs), and their p-values."""

    def inject(spec: yx.SimulationSpec) -> xr.Dataset:
        ds, model = spec.simulate().copy(deep=True), MeanModel.from_spec(spec)
        rng = np.random.default_rng(1)
        label, active = ds["label"].values, yx.adjusted_pairs(ds["label"], spec.tf_relationships).values
        status = 2 * label - active
        noise = make(label.shape, rng)
        values = np.abs(model.mean(status, ds["binding_effect"].values) + model.std(status) * noise)
        ds["perturbation_effect"].values[...] = rng.choice([-1.0, 1.0], label.shape) * values
        ds["perturbation_pvalue"] = yx.generate_pvalues(ds["perturbation_effect"], seed=spec.seed)
        return ds

    return inject


def replace_uniform(
    change: Callable[[dict[str, np.ndarray], np.random.Generator], np.ndarray], kind: str = "perturbation"
) -> Injection:
    """Inject p-values of other uniform numbers; a function makes these from all kinds' uniform numbers."""

    def inject(spec: yx.SimulationSpec) -> xr.Dataset:
        ds = spec.simulate().copy(deep=True)
        large, uniform = {}, {}
        for name in ("binding", "perturbation"):
            effect = np.abs(ds[f"{name}_effect"].values.astype(np.float64))
            large[name] = effect >= np.quantile(effect, spec.large_effect_percentile, axis=0)
            scale = np.where(large[name], spec.large_effect_upper_pval, 1.0)
            uniform[name] = ds[f"{name}_pvalue"].values / scale
        values = change(uniform, np.random.default_rng(1))
        upper = np.nextafter(np.float32(spec.large_effect_upper_pval), np.float32(0))
        ds[f"{kind}_pvalue"].values[...] = np.where(large[kind], np.minimum(values * upper, upper), values)
        return ds

    return inject


def correlate(r: float, axis: int) -> Callable[[tuple[int, int], np.random.Generator], np.ndarray]:
    """Return a function that makes normal numbers, correlated with the next along an axis (0: genes, 1: TFs)."""

    def make(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
        return lfilter([np.sqrt(1 - r**2)], [1, -r], rng.standard_normal(shape), axis=axis)

    return make


def correlate_apart(r: float, lag: int) -> Callable[[tuple[int, int], np.random.Generator], np.ndarray]:
    """Return a function that makes normal numbers, correlated with those of the gene that is some genes apart."""

    def make(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
        return lfilter([np.sqrt(1 - r**2)], [1, *[0] * (lag - 1), -r], rng.standard_normal(shape), axis=0)

    return make


def share(r: float) -> Callable[[tuple[int, int], np.random.Generator], np.ndarray]:
    """Return a function that makes normal numbers that are correlated over a gene's TFs."""

    def make(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
        return np.sqrt(1 - r) * rng.standard_normal(shape) + np.sqrt(r) * rng.standard_normal((shape[0], 1))

    return make


def _make_uniform(make: Callable[[tuple[int, int], np.random.Generator], np.ndarray]) -> Any:
    return lambda uniform, rng: ndtr(make(uniform["binding"].shape, rng))


def _ramp(n: int) -> np.ndarray:
    return np.linspace(-1, 1, n)[:, None]


def _drift_std(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    return (1 + 0.02 * _ramp(shape[0])) * rng.standard_normal(shape)


def _wave_std(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    return (1 + 0.03 * np.sin(2 * np.pi * _ramp(shape[0]))) * rng.standard_normal(shape)


def _truncate(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    return ndtri(ndtr(-4.0) + (ndtr(4.0) - ndtr(-4.0)) * rng.random(shape))


def _choose_by_weight(weight: Callable[[int, np.random.Generator], np.ndarray]) -> Any:
    """Return a function that chooses each TF's genes, as many as before, with unequal chances."""

    def choose(label: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        chosen = np.zeros_like(label)
        for tf in range(label.shape[1]):
            keys = rng.exponential(size=len(label)) / weight(len(label), rng)
            chosen[np.argsort(keys)[: label[:, tf].sum()], tf] = True
        return chosen

    return choose


_PROPENSITY = np.exp(0.1 * np.random.default_rng(2).standard_normal(1_000_000))  # of genes, the same for all TFs


def _share_binding_draws(planes: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Give TF 150 the binding effects of TF 3 where both labels agree."""
    effect, label = planes["binding_effect"], planes["label"]
    same = label[:, 150] == label[:, 3]
    effect[same, 150] = effect[same, 3]
    return effect


def _share_binding_of_gene(planes: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Sort unbound effects of a tenth of the TFs so that the same genes have large ones."""
    effect, label = planes["binding_effect"], planes["label"]
    order = rng.random(len(effect))
    for tf in range(0, effect.shape[1], 10):
        unbound = np.flatnonzero(~label[:, tf])
        effect[unbound[np.argsort(order[unbound] + rng.random(unbound.size))], tf] = np.sort(effect[unbound, tf])
    return effect


def _smooth_binding(planes: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Exchange unbound effects so that those of neighbouring genes are alike."""
    effect, label = planes["binding_effect"], planes["label"]
    noise = correlate(0.1, 0)(effect.shape, rng)
    for tf in range(effect.shape[1]):
        unbound = np.flatnonzero(~label[:, tf])
        effect[unbound[np.argsort(noise[unbound, tf])], tf] = np.sort(effect[unbound, tf])
    return effect


def _positive_gene(planes: dict[str, np.ndarray], rng: np.random.Generator) -> None:
    planes["perturbation_effect"][17] = np.abs(planes["perturbation_effect"][17])


def _drift_signs(planes: dict[str, np.ndarray], rng: np.random.Generator) -> None:
    effect = planes["perturbation_effect"]
    effect[...] = np.abs(effect) * np.where(rng.random(effect.shape) < 0.5 + 0.01 * _ramp(len(effect)), 1, -1)


def _correlate_signs(planes: dict[str, np.ndarray], rng: np.random.Generator) -> None:
    effect = planes["perturbation_effect"]
    effect[...] = np.abs(effect) * np.sign(correlate(0.05, 0)(effect.shape, rng))


def _repeat_gene(uniform: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
    uniform["perturbation"][4321] = uniform["perturbation"][17]
    return uniform["perturbation"]


def _move_genes(uniform: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
    uniform["perturbation"][3205:3705, 77] = uniform["perturbation"][12:512, 5]
    return uniform["perturbation"]


def _move_genes_backward(uniform: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
    uniform["perturbation"][3205:3705, 77] = uniform["perturbation"][12:512, 5][::-1]
    return uniform["perturbation"]


def _narrow_gene(uniform: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
    uniform["perturbation"][17] = 0.25 + 0.5 * uniform["perturbation"][17]
    return uniform["perturbation"]


# For each error, a part of the name of a check that must fail.
ERRORS: dict[str, tuple[Injection, str]] = {
    "bound mean off by 1 %": (change_parameters(bound_mean=3.03), "bound_active: mean"),
    "bound s.d. off by 2 %": (change_parameters(bound_std=1.02), "s.d. / theory"),
    "unbound s.d. off by 1 %": (change_parameters(unbound_std=1.01), "unbound: s.d. / theory"),
    "largest adjustment off by 5 %": (change_parameters(max_mean_adjustment=10.5), "slope"),
    "a gene more for one TF": (change_values(_add_label), "bound genes of each TF"),
    "signs 51:49": (flip_signs(0.01, 0.01), "share positive"),
    "signs tied to labels": (flip_signs(0.02, -0.005), "signs and labels"),
    "bound hops to 7": (change_parameters(bound_experiment_hops_range=(1, 7)), "binding effect, bound"),
    "unbound hops to 2": (change_parameters(unbound_experiment_hops_range=(0, 2)), "binding effect, unbound"),
    "background hops to 99": (change_parameters(background_hops_range=(1, 99)), "distribution"),
    "small p-values to 0.21": (change_parameters(large_effect_upper_pval=0.21), "large effects"),
    "quantile 0.89": (change_parameters(large_effect_percentile=0.89), "other effects"),
    "And for Or, one TF": (_use_and_for_or, "of each TF"),
    "conditions ignored": (change_parameters(tf_relationships=None), "bound_inactive"),
    "a block repeated": (change_values(_repeat_block), "repeated"),
    "some genes repeated": (change_values(_repeat_genes), "repeated"),
    "a replicate repeated": (_repeat_replicate, "repeated"),
    "two TFs share draws": (_share_draws, "draws"),
    "binding effects rounded to float16": (_round("binding_effect"), "possible values"),
    "perturbation effects rounded to float16": (_round("perturbation_effect"), "rounding"),
    "p-values rounded to float16": (_round("binding_pvalue"), "rounding"),
    "binding effects of one TF permuted": (change_values(_permute), "possible values"),
    "the same p-values twice": (change_values(_copy_pvalues), "draws of one pair"),
    "p-values by signed effects": (_use_signed_rule, "perturbation p-value"),
    "labels of two TFs overlap": (change_values(_overlap_labels), "labels of TFs"),
    "one gene bound by most TFs": (change_values(_bind_one_gene), "bound TFs of each gene"),
    "one TF by another method": (_use_other_method, "of each TF"),
    "one NaN": (_set("binding_effect", np.nan), "binding effect: range"),
    "one infinity": (_set("perturbation_effect", np.inf), "perturbation effect: range"),
    "one negative p-value": (_set("binding_pvalue", -0.1), "binding p-value: range"),
    "all signs of one gene positive": (change_values(_positive_gene), "signs of each gene"),
    "signs drift along genes": (change_values(_drift_signs), "signs of each gene"),
    "signs autocorrelated along genes": (change_values(_correlate_signs), "neighbouring genes"),
    "noise autocorrelated along genes": (replace_noise(correlate(0.1, 0)), "neighbouring genes"),
    "noise autocorrelated along TFs": (replace_noise(correlate(0.1, 1)), "neighbouring TFs"),
    "noise shared by a gene's TFs": (replace_noise(share(0.1)), "|perturbation effect| of each gene: mean"),
    "s.d. drifts along genes": (replace_noise(_drift_std), "|perturbation effect| of each gene: s.d."),
    "s.d. waves along genes": (replace_noise(_wave_std), "|perturbation effect| of each gene: s.d."),
    "noise truncated at 4 s.d.": (replace_noise(_truncate), "|perturbation effect|: extremes"),
    "labels drift along genes": (
        replace_labels(_choose_by_weight(lambda n, _: 1 + 0.1 * _ramp(n)[:, 0])),
        "along genes",
    ),
    "some genes bound more often": (replace_labels(_choose_by_weight(lambda n, _: _PROPENSITY[:n])), "along genes"),
    "bound genes side by side": (
        replace_labels(_choose_by_weight(lambda n, rng: np.exp(correlate(0.3, 0)((n, 1), rng)[:, 0]))),
        "along genes",
    ),
    "binding effects shared by two TFs": (replace_binding(_share_binding_draws), "draws of different TFs"),
    "binding effects shared by a gene's TFs": (replace_binding(_share_binding_of_gene), "binding effect of each gene"),
    "binding effects autocorrelated along genes": (replace_binding(_smooth_binding), "neighbouring genes"),
    "p-values autocorrelated along genes": (replace_uniform(_make_uniform(correlate(0.1, 0))), "neighbouring genes"),
    "p-values autocorrelated along TFs": (replace_uniform(_make_uniform(correlate(0.1, 1))), "neighbouring TFs"),
    "p-values shared by a gene's TFs": (
        replace_uniform(_make_uniform(share(0.1)), "binding"),
        "binding p-value of each gene",
    ),
    "p-values drift along genes": (
        replace_uniform(lambda u, rng: u["perturbation"] ** (1 + 0.02 * _ramp(len(u["perturbation"])))),
        "perturbation p-value of each gene",
    ),
    "p-values at least 1e-4": (
        replace_uniform(lambda u, rng: 1e-4 + (1 - 1e-4) * u["perturbation"]),
        "perturbation p-value: extremes",
    ),
    "p-values of the next TF's binding draws": (
        replace_uniform(lambda u, rng: np.roll(u["binding"], -1, axis=1)),
        "repeated",
    ),
    "p-values of one gene repeated": (replace_uniform(_repeat_gene), "repeated"),
    "p-values repeated at other genes and TFs": (replace_uniform(_move_genes), "repeated"),
    "s.d. drifts along TFs": (
        replace_noise(lambda shape, rng: (1 + 0.02 * _ramp(shape[1]).T) * rng.standard_normal(shape)),
        "|perturbation effect| of each TF: s.d.",
    ),
    "p-values drift along TFs": (
        replace_uniform(lambda u, rng: u["binding"] ** (1 + 0.02 * _ramp(u["binding"].shape[1]).T), "binding"),
        "binding p-value of each TF",
    ),
    "p-values of one gene near 0.5": (replace_uniform(_narrow_gene), "perturbation p-value of each gene: s.d."),
    "p-values opposite to the next TF's binding draws": (
        replace_uniform(lambda u, rng: 1 - np.roll(u["binding"], -1, axis=1)),
        "repeated",
    ),
    "noise correlated seven genes apart": (replace_noise(correlate_apart(0.2, 7)), "apart"),
    "p-values correlated three genes apart": (replace_uniform(_make_uniform(correlate_apart(0.05, 3))), "apart"),
    "p-values repeated in reversed order": (replace_uniform(_move_genes_backward), "repeated"),
}


# What extends the tutorial: parameters, an injected error, and a part of the name of a check that must fail.

HOPS: dict[str, Any] = {
    "hop_distribution": "negative_binomial",
    "background_hops_mean": 10.7,
    "background_hops_dispersion": 0.3,
    "unbound_experiment_hops_mean": 1.5,
    "bound_experiment_hops_mean": 9.0,
    "experiment_hops_dispersion": 0.5,
    "total_background_hops": 103_922,
    "total_experiment_hops": 17_183,
    "pseudocount": 1e-6,  # a tenth of a hop
    "promoter_dispersion": 0.5,
}
RELATIONS: dict[int, Any] = {0: [1], 2: [Not(2), 3], 5: [Or(6, 7)]}
RESPONSES: dict[str, Any] = {"responsive_fraction": 0.6, "indirect_fraction": 0.05, "tf_relationships": RELATIONS}
EXTENDED: dict[str, dict[str, Any]] = {
    "hops by the negative binomial": HOPS,
    "the same, kept, with p-values of tests": HOPS | {"hops": True, "pvalues": "test"},
    "p-values of tests": {"pvalues": "test", "bound_mean": 5.0},
    "responses": RESPONSES | {"adjusted": True, "max_mean_adjustment": 5.0},
    "responsiveness of genes": RESPONSES | {"gene_responsiveness": 0.2},
    "signs": {"positive_fraction": 0.3},
    "measurements": RESPONSES | {"measurements": 3, "batch_std": 0.5},
    "missing values": {"missing_gene_fraction": 0.08, "missing_pair_fraction": 0.03},
    "drawn bound fractions": {"bound_concentration": 10.0},
}
"""Parameters that extend the tutorial, with which correct datasets must fail as rarely as stated."""


def make_extended_spec(genes: int = 6600, tfs: int = 200, **parameters: Any) -> yx.SimulationSpec:
    """Return the specification that incorrect datasets of what extends the tutorial claim to follow."""
    population = {"genes": genes, "bound": [0.1, 0.2], "n_sample": [tfs // 2, tfs - tfs // 2], "seed": 5}
    return yx.SimulationSpec(**population | parameters)


def change_variables(change: Callable[[xr.Dataset, np.random.Generator], object]) -> Injection:
    """Inject values of features and extra variables that are changed in place."""

    def inject(spec: yx.SimulationSpec) -> xr.Dataset:
        ds = spec.simulate().copy(deep=True)
        change(ds, np.random.default_rng(1))
        return ds

    return inject


def take_variables(names: list[str], tfs: Any = slice(None), **parameters: Any) -> Injection:
    """Inject variables of some TFs that are simulated with other parameters."""

    def inject(spec: yx.SimulationSpec) -> xr.Dataset:
        ds, other = spec.simulate().copy(deep=True), replace(spec, **parameters).simulate()
        for name in names:
            ds[name].values[..., tfs] = other[name].values[..., tfs]
        return ds

    return inject


def _permute_within(names: list[str], tfs: Any = slice(None)) -> Injection:
    """Exchange values of unbound genes of each TF, those of some variables together."""

    def change(ds: xr.Dataset, rng: np.random.Generator) -> None:
        for tf in range(ds.sizes["tf"])[tfs]:
            unbound = np.flatnonzero(~ds["label"].values[:, tf])
            order = rng.permutation(unbound)
            for name in names:
                ds[name].values[unbound, tf] = ds[name].values[order, tf]

    return change_variables(change)


def _add_to(name: str, value: float, place: tuple[int, ...] = (123, 17)) -> Injection:
    def change(ds: xr.Dataset, rng: np.random.Generator) -> None:
        ds[name].values[place] += value

    return change_variables(change)


def _flip(name: str, place: Any, share: float = 1.0) -> Injection:
    def change(ds: xr.Dataset, rng: np.random.Generator) -> None:
        values = ds[name].values
        values[place] ^= rng.random(values[place].shape) < share

    return change_variables(change)


def _set_where(name: str, value: Any, choose: Callable[[xr.Dataset, np.random.Generator], np.ndarray]) -> Injection:
    def change(ds: xr.Dataset, rng: np.random.Generator) -> None:
        ds[name].values[choose(ds, rng)] = value

    return change_variables(change)


def _scale_offsets(factor: float, tfs: Any = slice(None)) -> Injection:
    """Multiply the offsets of batches."""

    def inject(spec: yx.SimulationSpec) -> xr.Dataset:
        ds, none = spec.simulate().copy(deep=True), replace(spec, batch_std=0.0).simulate()
        effect, plain = ds["perturbation_effect"].values, none["perturbation_effect"].values
        effect[..., tfs] = plain[..., tfs] + factor * (effect - plain)[..., tfs]
        return _retest(ds, spec)

    return inject


def _retest(ds: xr.Dataset, spec: yx.SimulationSpec) -> xr.Dataset:
    """Return a dataset with p-values of its perturbation effects."""
    rule = {"pvalues": "test"} if spec.tests_effects else {}
    return ds.assign(perturbation_pvalue=yx.generate_pvalues(ds["perturbation_effect"], seed=spec.seed, **rule))


def _swap_measurements(spec: yx.SimulationSpec) -> xr.Dataset:
    ds = spec.simulate()
    swapped = ds[["perturbation_effect", "perturbation_pvalue"]].isel(measurement=[1, 0, 2])
    return ds.assign(swapped.assign_coords(measurement=ds["measurement"]))


def _copy_measurement(spec: yx.SimulationSpec) -> xr.Dataset:
    ds = replace(spec, batch_std=0.0).simulate().copy(deep=True)
    for name in ("perturbation_effect", "perturbation_pvalue"):
        ds[name].values[1] = ds[name].values[0]
    return claim(ds, replace(spec, batch_std=0.0))


def _flip_sign(spec: yx.SimulationSpec) -> xr.Dataset:
    ds = replace(spec, batch_std=0.0).simulate().copy(deep=True)
    ds["perturbation_effect"].values[1, 123, 17] *= -1
    return claim(ds, replace(spec, batch_std=0.0))


def _copy_responses(ds: xr.Dataset, rng: np.random.Generator) -> None:
    """Let a TF respond as the one before, for a tenth of the genes, and exchange its effects accordingly."""
    label, responsive, effect = (ds[name].values for name in ("label", "responsive", "perturbation_effect"))
    for tf in range(1, label.shape[1]):
        alike = np.flatnonzero((label[:, tf] == label[:, tf - 1]) & (rng.random(len(label)) < 0.1))
        for bound in (False, True):
            group = alike[label[alike, tf] == bound]
            wanted, present = responsive[group, tf - 1], responsive[group, tf]
            gain, lose = group[wanted & ~present], group[~wanted & present]
            n = min(gain.size, lose.size)
            both, turned = np.r_[gain[:n], lose[:n]], np.r_[lose[:n], gain[:n]]
            for values in (responsive, effect):
                values[both, tf] = values[turned, tf]


def _tie_signs(ds: xr.Dataset, rng: np.random.Generator) -> None:
    effect, label = ds["perturbation_effect"].values, ds["label"].values
    effect[label & (effect < 0) & (rng.random(effect.shape) < 0.02)] *= -1


def _cap_background(ds: xr.Dataset, rng: np.random.Generator) -> None:
    spec = yx.SimulationSpec.from_json(ds.attrs["specification"])
    background = ds["background_hops"].values
    np.minimum(background, 100, out=background)
    ds["binding_effect"].values[...] = spec.effect(ds["experiment_hops"].values.astype(float), background.astype(float))


def _lose_large(ds: xr.Dataset, rng: np.random.Generator) -> np.ndarray:
    return (np.abs(ds["perturbation_effect"].values) > 4) & (rng.random(ds["label"].shape) < 0.05)


def _lose(choose: Callable[[xr.Dataset, np.random.Generator], np.ndarray]) -> Injection:
    def change(ds: xr.Dataset, rng: np.random.Generator) -> None:
        missing = choose(ds, rng)
        for name in ("perturbation_effect", "perturbation_pvalue"):
            ds[name].values[missing] = np.nan

    return change_variables(change)


def _choose_column(dim: int, position: int, share: float) -> Callable[[xr.Dataset, np.random.Generator], np.ndarray]:
    def choose(ds: xr.Dataset, rng: np.random.Generator) -> np.ndarray:
        chosen = np.zeros(ds["label"].shape, bool)
        index = (position, slice(None)) if dim == 0 else (slice(None), position)
        chosen[index] = rng.random(chosen[index].shape) < share
        return chosen

    return choose


def _choose_gene(ds: xr.Dataset) -> np.ndarray:
    """Choose the gene that most TFs bind."""
    chosen = np.zeros(ds["label"].shape, bool)
    chosen[np.argmax(ds["label"].values.sum(axis=-1))] = True
    return chosen


def _take_measurement(spec: yx.SimulationSpec) -> xr.Dataset:
    """Take the last measurement from a dataset of another seed."""
    ds, other = spec.simulate().copy(deep=True), replace(spec, seed=6).simulate()
    for name in ds.data_vars:
        ds[name].values[2] = other[name].values[2]
    return ds


def _exchange_tfs(spec: yx.SimulationSpec) -> xr.Dataset:
    ds = spec.simulate()
    return ds.isel(tf=[1, 0, *range(2, ds.sizes["tf"])]).assign_coords(tf=ds["tf"])


def _swap_offsets(spec: yx.SimulationSpec) -> xr.Dataset:
    """Add the offsets of another seed."""
    plain = replace(spec, batch_std=0.0).simulate()["perturbation_effect"]
    other = replace(spec, seed=6)
    offsets = other.simulate()["perturbation_effect"] - replace(other, batch_std=0.0).simulate()["perturbation_effect"]
    ds = spec.simulate().copy(deep=True)
    ds["perturbation_effect"].values[...] = (plain + offsets.median("gene")).values
    return _retest(ds, spec)


_BINDING = ["binding_effect", "binding_pvalue"]
_KEPT = HOPS | {"hops": True}
_TESTED = {"pvalues": "test", "bound_mean": 5.0}
_ADJUSTED = RESPONSES | {"adjusted": True}
_LEVELS = RESPONSES | {"gene_responsiveness": 0.2}
_SIGNS = {"positive_fraction": 0.3}
_MEASUREMENTS = RESPONSES | {"measurements": 3, "batch_std": 0.5}
_MISSING = {"missing_gene_fraction": 0.08, "missing_pair_fraction": 0.03}
_DRAWN = {"bound_concentration": 10.0}
EXTENDED_ERRORS: dict[str, tuple[dict[str, Any], Injection, str]] = {
    "background mean off by 2 %": (HOPS, change_parameters(background_hops_mean=10.9), "binding effect"),
    "background dispersion off by 5 %": (HOPS, change_parameters(background_hops_dispersion=0.315), "binding effect"),
    "unbound hops' mean off by 2 %": (HOPS, change_parameters(unbound_experiment_hops_mean=1.53), "effect, unbound"),
    "bound hops' mean off by 4 %": (HOPS, change_parameters(bound_experiment_hops_mean=9.36), "effect, bound"),
    "hops' dispersion off by 5 %": (HOPS, change_parameters(experiment_hops_dispersion=0.525), "binding effect"),
    "promoter dispersion off by 5 %": (HOPS, change_parameters(promoter_dispersion=0.525), "binding effect"),
    "no promoter factor": (HOPS, change_parameters(promoter_dispersion=0.0), "binding effect"),
    "promoter factor of other genes": (HOPS, _permute_within(["binding_effect"]), "binding effect of each gene"),
    "promoter factors of another seed": (HOPS, take_variables(_BINDING, seed=6), "binding effect"),
    "promoter factor missing for ten TFs": (
        HOPS,
        take_variables(_BINDING, slice(40, 50), promoter_dispersion=0.0),
        "binding effect",
    ),
    "one experiment hop more": (_KEPT, _add_to("experiment_hops", 1), "hops: binding effect"),
    "one background hop fewer": (_KEPT, _add_to("background_hops", -1), "hops: binding effect"),
    "background hops of one TF permuted": (_KEPT, _permute_within(["background_hops"], slice(9, 10)), "hops: binding"),
    "background hops up to 100": (_KEPT, change_variables(_cap_background), "background hops: distribution"),
    "hops of another seed": (_KEPT, take_variables(["experiment_hops", "background_hops"], seed=6), "hops: binding"),
    "one binding p-value rounded": (
        _TESTED,
        change_variables(lambda ds, _: ds["binding_pvalue"].values.__setitem__((123, 17), np.float32(0.12345))),
        "binding p-value: function",
    ),
    "one-sided p-values": (
        _TESTED,
        change_variables(
            lambda ds, _: np.multiply(ds["perturbation_pvalue"], 0.5, out=ds["perturbation_pvalue"].values)
        ),
        "perturbation p-value: function",
    ),
    "p-values of another s.d.": (
        _TESTED,
        take_variables(["perturbation_pvalue"], unbound_std=1.001),
        "perturbation p-value: function",
    ),
    "the tutorial's p-values": (
        _TESTED,
        take_variables(["binding_pvalue", "perturbation_pvalue"], pvalues="tutorial"),
        "binding p-value: function",
    ),
    "binding p-values of one TF permuted": (
        _TESTED,
        _permute_within(["binding_pvalue"], slice(9, 10)),
        "binding p-value",
    ),
    "Poisson pseudocount 0.101": (
        _TESTED,
        take_variables(["binding_pvalue"], poisson_pseudocount=0.101),
        "binding p",
    ),
    "Poisson pseudocount 0.099": (
        _TESTED,
        take_variables(["binding_pvalue"], poisson_pseudocount=0.099),
        "binding p",
    ),
    "no Poisson pseudocount": (_TESTED, take_variables(["binding_pvalue"], poisson_pseudocount=0.0), "binding p"),
    "Poisson pseudocount of one TF": (
        _TESTED,
        take_variables(["binding_pvalue"], 7, poisson_pseudocount=0.2),
        "binding p",
    ),
    "binding p-values of other totals": (
        _TESTED,
        take_variables(["binding_pvalue"], total_background_hops=1001),
        "binding p",
    ),
    "responsive fraction off by 0.01": (
        RESPONSES,
        change_parameters(responsive_fraction=0.61),
        "responsive pairs, bound",
    ),
    "all bound pairs of a TF respond": (
        RESPONSES,
        take_variables(["responsive", "perturbation_effect"], 33, responsive_fraction=1.0),
        "responsive pairs, bound: of each TF",
    ),
    "a gene responds to none that bind it": (
        RESPONSES,
        _set_where("responsive", False, lambda ds, _: ds["label"].values & _choose_gene(ds)),
        "responsive pairs, bound: of each gene",
    ),
    "responses copied from the TF before, in part": (
        RESPONSES | {"tf_relationships": None},
        change_variables(_copy_responses),
        "responses of neighbouring TFs",
    ),
    "0.2 % of responses inverted": (RESPONSES, _flip("responsive", slice(None), 0.002), "adjusted: mean"),
    "indirect fraction off by 0.002": (
        RESPONSES,
        change_parameters(indirect_fraction=0.052),
        "responsive pairs, unbound",
    ),
    "no indirect responses of a TF": (
        RESPONSES,
        take_variables(["responsive", "perturbation_effect"], 33, indirect_fraction=0.0),
        "responsive pairs, unbound: of each TF",
    ),
    "a gene responds to all": (
        RESPONSES,
        _set_where("responsive", True, lambda ds, _: ~ds["label"].values & _choose_gene(ds)),
        "responsive pairs, unbound: of each gene",
    ),
    "indirect responses to the wrong conditions": (
        RESPONSES,
        take_variables(["perturbation_effect"], slice(0, 3), tf_relationships=None),
        "responsive, not adjusted",
    ),
    "effects without indirect responses": (
        RESPONSES,
        take_variables(["perturbation_effect"], slice(0, 20), indirect_fraction=0.0),
        "adjusted",
    ),
    "responsiveness off by 0.02": (_LEVELS, change_parameters(gene_responsiveness=0.22), "responsive pairs"),
    "no responsiveness": (_LEVELS, change_parameters(gene_responsiveness=0.0), "responsive pairs"),
    "responses of another seed": (
        _LEVELS,
        take_variables(["responsive", "perturbation_effect"], seed=6),
        "responsive pairs",
    ),
    "responsiveness of one TF missing": (
        _LEVELS,
        take_variables(["responsive", "perturbation_effect"], slice(30, 40), gene_responsiveness=0.0),
        "responsive pairs",
    ),
    "responses of genes permuted": (_LEVELS, _permute_within(["responsive", "perturbation_effect"]), "of each gene"),
    "fair signs": (_SIGNS, change_parameters(positive_fraction=0.5), "signs of each TF"),
    "positive fraction off by 0.003": (_SIGNS, change_parameters(positive_fraction=0.303), "signs: share positive"),
    "positive fraction of one TF off by 0.05": (
        _SIGNS,
        take_variables(["perturbation_effect"], 7, positive_fraction=0.35),
        "signs of each TF",
    ),
    "signs tied to labels, with a fraction": (_SIGNS, change_variables(_tie_signs), "signs and labels"),
    "positive gene, with a fraction": (_SIGNS, change_values(_positive_gene), "signs of each gene"),
    "a label that one measurement lacks": (_MEASUREMENTS, _flip("label", (1, 123, 17)), "bound: the same"),
    "a response that one measurement lacks": (_MEASUREMENTS, _flip("responsive", (2, 99, 4)), "responsive: the same"),
    "a sign of one measurement": (_MEASUREMENTS, _flip_sign, "signs: the same"),
    "a measurement repeated": (_MEASUREMENTS, _copy_measurement, "noise: own"),
    "a measurement of another seed": (_MEASUREMENTS, _take_measurement, "bound: the same"),
    "no offsets of batches": (_MEASUREMENTS, change_parameters(batch_std=0.0), "offset of each TF"),
    "offsets off by 5 %": (_MEASUREMENTS, _scale_offsets(1.05), "offset of each TF"),
    "offsets of two measurements exchanged": (_MEASUREMENTS, _swap_measurements, "offset of each TF"),
    "an offset that is missing": (_MEASUREMENTS, _scale_offsets(0.0, 7), "offset of each TF"),
    "offsets of another seed": (_MEASUREMENTS, _swap_offsets, "offset of each TF"),
    "one adjusted pair": (_ADJUSTED, _flip("adjusted", (123, 17)), "adjusted pairs"),
    "adjusted whatever the conditions": (
        _ADJUSTED,
        change_variables(lambda ds, _: np.copyto(ds["adjusted"].values, ds["responsive"].values)),
        "adjusted pairs",
    ),
    "adjusted bound pairs": (
        _ADJUSTED,
        take_variables(["adjusted"], responsive_fraction=0.999999, indirect_fraction=0.0),
        "adjusted pairs",
    ),
    "adjusted by another relation": (
        _ADJUSTED,
        take_variables(["adjusted"], tf_relationships=RELATIONS | {5: [And(6, 7)]}),
        "adjusted pairs",
    ),
    "a gene that is never adjusted": (
        _ADJUSTED,
        _set_where("adjusted", False, lambda ds, _: _choose_gene(ds)),
        "adjusted pairs",
    ),
    "missing genes off by 0.025": (_MISSING, change_parameters(missing_gene_fraction=0.105), "missing genes"),
    "no missing genes": (_MISSING, change_parameters(missing_gene_fraction=0.0), "missing genes"),
    "missing genes only for half the TFs": (
        _MISSING,
        take_variables(["perturbation_effect", "perturbation_pvalue"], slice(0, 100), missing_gene_fraction=0.0),
        "missing",
    ),
    "an effect that is missing alone": (
        _MISSING,
        change_variables(lambda ds, _: ds["perturbation_effect"].values.__setitem__((5, 5), np.nan)),
        "range",
    ),
    "zero for missing effects of a TF": (
        _MISSING,
        change_variables(lambda ds, _: [np.nan_to_num(ds[n].values[:, 3], copy=False, nan=0.0) for n in FEATURES[3:]]),
        "missing pairs of each TF",
    ),
    "missing pairs off by 0.0015": (
        _MISSING,
        change_parameters(missing_pair_fraction=0.0315),
        "missing pairs of other",
    ),
    "no missing pairs": (_MISSING, change_parameters(missing_pair_fraction=0.0), "missing pairs"),
    "more missing pairs of a TF": (_MISSING, _lose(_choose_column(1, 3, 0.03)), "missing pairs of each TF"),
    "more missing pairs of a gene": (_MISSING, _lose(_choose_column(0, 17, 0.3)), "missing pairs of other genes"),
    "large effects that are missing": (_MISSING, _lose(_lose_large), "bound"),
    "fractions of another seed": (_DRAWN, change_parameters(seed=6), "bound genes of each TF"),
    "concentration 12": (_DRAWN, change_parameters(bound_concentration=12.0), "bound genes of each TF"),
    "fractions that are not drawn": (_DRAWN, change_parameters(bound_concentration=None), "bound genes of each TF"),
    "a gene more for one TF, drawn fractions": (_DRAWN, change_values(_add_label), "bound genes of each TF"),
    "two TFs exchanged": (_DRAWN, _exchange_tfs, "bound genes of each TF"),
}
