"""Datasets with one planted fault each: attributes claim a specification that the values do not follow."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import xarray as xr

import yeastxr as yx
from yeastxr.demo import BOOLEAN_RELATIONS
from yeastxr.schema import FEATURE_NAMES
from yeastxr.simulation.relations import And, Not, Or

FEATURES = list(FEATURE_NAMES)
Fault = Callable[[yx.SimulationSpec], xr.Dataset]


def repeated(relationships: dict, tfs: int) -> dict:
    """Repeat a dictionary over ten TFs for every ten of many."""

    def moved(entry: object, by: int) -> object:
        if isinstance(entry, And | Or | Not):
            return type(entry)(*(moved(e, by) for e in entry.entries))
        return entry + by

    tens = range(0, tfs, 10)
    return {tf + by: [moved(e, by) for e in entries] for by in tens for tf, entries in relationships.items()}


def asked(genes: int = 6600, tfs: int = 200, **parameters: object) -> yx.SimulationSpec:
    """Return the specification that faulty datasets claim to follow: method 4, which has every kind of pair."""
    return yx.SimulationSpec(
        genes=genes,
        bound=[0.1, 0.15, 0.2, 0.25, 0.3],
        n_sample=[tfs // 5] * 5,
        max_mean_adjustment=10.0,
        tf_relationships=repeated(BOOLEAN_RELATIONS, tfs),
        **{"seed": 5, **parameters},
    )


def claimed(ds: xr.Dataset, spec: yx.SimulationSpec) -> xr.Dataset:
    """Return a dataset that claims a specification."""
    return ds.assign_attrs(specification=spec.to_json())


def other(**parameters: object) -> Fault:
    """Make a fault of other parameters than are claimed."""
    return lambda spec: claimed(replace(spec, **parameters).simulate(), spec)


def changed(change: Callable[[dict[str, np.ndarray], np.random.Generator], object]) -> Fault:
    """Make a fault of values ``(gene, tf)`` that are changed in place."""

    def plant(spec: yx.SimulationSpec) -> xr.Dataset:
        ds = spec.simulate().copy(deep=True)
        change({name: ds[name].values for name in FEATURES}, np.random.default_rng(1))
        return ds

    return plant


def flip_signs(share_bound: float, share_unbound: float) -> Fault:
    """Make positive what was negative, for a share of bound and of unbound pairs."""

    def change(of: dict[str, np.ndarray], rng: np.random.Generator) -> None:
        effect, label = of["perturbation_effect"], of["label"]
        share = np.where(label, share_bound, share_unbound)
        from_sign = np.where(share > 0, effect < 0, effect > 0)
        flipped = from_sign & (rng.random(effect.shape) < 2 * np.abs(share))
        effect[flipped] *= -1

    return changed(change)


def _extra_label(of: dict[str, np.ndarray], rng: np.random.Generator) -> None:
    of["label"][np.flatnonzero(~of["label"][:, 4])[0], 4] = True


def _block_repeated(of: dict[str, np.ndarray], rng: np.random.Generator) -> None:
    for values in of.values():
        values[:, 20:40] = values[:, 0:20]


def _genes_repeated(of: dict[str, np.ndarray], rng: np.random.Generator) -> None:
    for values in of.values():
        values[3200:3520] = values[0:320]


def _draws_shared(spec: yx.SimulationSpec) -> xr.Dataset:
    """Give TF 150 the draws of TF 3, with its own bound fraction."""
    ds = replace(spec, tf_relationships=None).simulate().copy(deep=True)
    fractions = list(spec.bound_fractions)
    fractions[3] = fractions[150]
    twin = replace(spec, bound=fractions, n_sample=None, tf_relationships=None).simulate()
    for name in FEATURES:
        ds[name].values[:, 150] = twin[name].values[:, 3]
    return ds


def _rounded(name: str) -> Fault:
    def change(of: dict[str, np.ndarray], rng: np.random.Generator) -> None:
        of[name][...] = of[name].astype(np.float16)

    return changed(change)


def _permuted(of: dict[str, np.ndarray], rng: np.random.Generator) -> None:
    of["binding_effect"][:, 9] = rng.permutation(of["binding_effect"][:, 9])


def _same_pvalues(of: dict[str, np.ndarray], rng: np.random.Generator) -> None:
    of["perturbation_pvalue"][...] = of["binding_pvalue"]


def _signed_rule(spec: yx.SimulationSpec) -> xr.Dataset:
    ds = spec.simulate()
    shifted = (ds["perturbation_effect"] + 100).rename(
        "perturbation_effect"
    )  # so that |effect| is in the order of effect
    return claimed(ds.assign(perturbation_pvalue=yx.generate_pvalues(shifted, seed=spec.seed)), spec)


def _labels_overlap(of: dict[str, np.ndarray], rng: np.random.Generator) -> None:
    """Exchange genes of TF 8, all its values, until it binds a tenth more of what TF 9 binds."""
    ours, theirs = of["label"][:, 8], of["label"][:, 9]
    alone, missed = np.flatnonzero(ours & ~theirs)[:66], np.flatnonzero(~ours & theirs)[:66]
    for values in of.values():
        column = values[:, 8]
        column[np.concatenate([alone, missed])] = column[np.concatenate([missed, alone])]


def _one_gene_bound(of: dict[str, np.ndarray], rng: np.random.Generator) -> None:
    """Exchange genes, all their values, so that most TFs bind gene 17."""
    for tf in range(150):
        donor = int(np.flatnonzero(of["label"][:, tf])[0])
        for values in of.values():
            values[[17, donor], tf] = values[[donor, 17], tf]


def _one_method(spec: yx.SimulationSpec) -> xr.Dataset:
    ds = spec.simulate().copy(deep=True)
    plain = replace(spec, max_mean_adjustment=0.0, tf_relationships=None).simulate()
    ds["perturbation_effect"].values[:, 0] = plain["perturbation_effect"].values[:, 0]
    return ds


def _and_for_or(spec: yx.SimulationSpec) -> xr.Dataset:
    relations = dict(spec.tf_relationships or {})
    relations[5] = [And(0, 1, 2, 8, 9)]  # asked for: Or, of the same TFs
    return claimed(replace(spec, tf_relationships=relations).simulate(), spec)


def _replicate_repeated(spec: yx.SimulationSpec) -> xr.Dataset:
    ds = replace(spec, replicates=3).simulate()
    return claimed(ds.isel(replicate=[0, 1, 0]).assign_coords(replicate=[0, 1, 2]), replace(spec, replicates=3))


def _set(name: str, value: float) -> Fault:
    def change(of: dict[str, np.ndarray], rng: np.random.Generator) -> None:
        of[name][123, 45] = value

    return changed(change)


# For each fault what finds it: a part of the name of a check that must fail.
FAULTS: dict[str, tuple[Fault, str]] = {
    "bound mean off by 1 %": (other(bound_mean=3.03), "bound_active: mean"),
    "bound s.d. off by 2 %": (other(bound_std=1.02), "s.d. / theory"),
    "unbound s.d. off by 1 %": (other(unbound_std=1.01), "unbound: s.d. / theory"),
    "largest adjustment off by 5 %": (other(max_mean_adjustment=10.5), "slope"),
    "a gene more for one TF": (changed(_extra_label), "bound genes of each TF"),
    "signs 51:49": (flip_signs(0.01, 0.01), "share positive"),
    "signs tied to labels": (flip_signs(0.02, -0.005), "signs and labels"),
    "bound hops to 7": (other(bound_experiment_hops_range=(1, 7)), "binding effect, bound"),
    "unbound hops to 2": (other(unbound_experiment_hops_range=(0, 2)), "binding effect, unbound"),
    "background hops to 99": (other(background_hops_range=(1, 99)), "distribution"),
    "small p-values to 0.21": (other(large_effect_upper_pval=0.21), "large effects"),
    "quantile 0.89": (other(large_effect_percentile=0.89), "other effects"),
    "And for Or, one TF": (_and_for_or, "of each TF"),
    "conditions ignored": (other(tf_relationships=None), "bound_inactive"),
    "a block repeated": (changed(_block_repeated), "repeated"),
    "some genes repeated": (changed(_genes_repeated), "repeated"),
    "a replicate repeated": (_replicate_repeated, "repeated"),
    "two TFs share draws": (_draws_shared, "draws"),
    "binding effects rounded to float16": (_rounded("binding_effect"), "possible values"),
    "perturbation effects rounded to float16": (_rounded("perturbation_effect"), "rounding"),
    "p-values rounded to float16": (_rounded("binding_pvalue"), "rounding"),
    "binding effects of one TF permuted": (changed(_permuted), "possible values"),
    "the same p-values twice": (changed(_same_pvalues), "draws of one pair"),
    "p-values by signed effects": (_signed_rule, "perturbation p-value"),
    "labels of two TFs overlap": (changed(_labels_overlap), "labels of TFs"),
    "one gene bound by most TFs": (changed(_one_gene_bound), "bound TFs of each gene"),
    "one TF by another method": (_one_method, "of each TF"),
    "one NaN": (_set("binding_effect", np.nan), "binding effect: range"),
    "one infinity": (_set("perturbation_effect", np.inf), "perturbation effect: range"),
    "one negative p-value": (_set("binding_pvalue", -0.1), "binding p-value: range"),
}
