"""Datasets with one injected error each: attributes claim a specification that the values do not follow."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import xarray as xr

import yeastxr as yx
from yeastxr.demo import BOOLEAN_RELATIONS
from yeastxr.schema import FEATURE_NAMES
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
}
