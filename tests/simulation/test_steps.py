"""The four steps and whole simulations: pinned bits, chunks that change nothing, relations by brute force."""

import hashlib

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import yeastxr as yx
from tests.reference.boolean import holds
from yeastxr.demo import BOOLEAN_RELATIONS, METHODS, POPULATION, RELATED_TFS
from yeastxr.schema import FEATURE_NAMES
from yeastxr.simulation import draws

# The random-number scheme, version 2: sha256 of each variable's bytes for the tutorial with seed 42, cut to 16 digits.
GOLDEN = {
    "label": dict.fromkeys(METHODS, "86e396112e1b8759"),
    "binding_effect": dict.fromkeys(METHODS, "71f9c0bc42e11e6c"),
    "binding_pvalue": dict.fromkeys(METHODS, "e2cc377e0baadcbc"),
    "perturbation_effect": {
        1: "d62233b13c36d211",
        2: "fbe452103cdc57af",
        3: "21ebca8d3ee9fd21",
        4: "00791d5694de81df",
    },
    "perturbation_pvalue": {
        1: "c1966086262dfde8",
        2: "7c0f4e97d3d6dd16",
        3: "3eae7be967309f7c",
        4: "632b513a799c5943",
    },
}


def made(**extra: object) -> xr.Dataset:
    return yx.simulate(**{**POPULATION, "seed": 42, **extra})


@pytest.mark.parametrize("method", METHODS)
def test_scheme__golden_hashes(method: int) -> None:
    assert draws.SCHEME_VERSION == 2
    ds = made(**METHODS[method][1])
    for name in FEATURE_NAMES:
        digest = hashlib.sha256(np.ascontiguousarray(ds[name].values).tobytes()).hexdigest()
        assert digest[:16] == GOLDEN[name][method], name


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ([0] * 4, 0, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ([0xFFFFFFFF] * 4, 2**64 - 1, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            0x299F31D0_A4093822,
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
)
def test_philox__known_answers_of_random123(counter: list[int], key: int, words: str) -> None:
    found = draws.compute_philox_words(np.array([counter], np.uint32), key)[0]
    assert " ".join(f"{word:08x}" for word in found) == words


@pytest.mark.parametrize("method", METHODS)
def test_simulate__equals_the_steps_by_hand(method: int) -> None:
    labels = yx.generate_gene_population(**POPULATION, seed=42)
    effect = yx.generate_binding_effects(labels, seed=42)
    response = yx.generate_perturbation_effects(labels, effect, **METHODS[method][1], seed=42)
    pvalues = [yx.generate_pvalues(values, seed=42) for values in (effect, response)]
    by_hand = yx.assemble(labels, effect, pvalues[0], response, pvalues[1])
    xr.testing.assert_identical(by_hand, made(**METHODS[method][1]))


def cuts(size: int) -> st.SearchStrategy[object]:
    whole = st.sampled_from([-1, "auto"])
    even = st.integers(1, size)
    uneven = st.lists(st.integers(1, size - 1), max_size=4, unique=True).map(
        lambda ends: tuple(int(n) for n in np.diff([0, *sorted(ends), size]))
    )
    return whole | even | uneven


@given(gene=cuts(90), tf=cuts(10), replicate=cuts(3))
def test_simulate__chunks_change_no_bit(gene: object, tf: object, replicate: object) -> None:
    asked = {"genes": 90, "replicates": 3, "max_mean_adjustment": 10.0, "tf_relationships": BOOLEAN_RELATIONS}
    lazy = made(**asked, chunks={"gene": gene, "tf": tf, "replicate": replicate})
    xr.testing.assert_identical(lazy.compute(), made(**asked))


@pytest.mark.parametrize("method", METHODS)
def test_simulate__lazy_computes_nothing(method: int, no_compute: None) -> None:
    ds = made(**METHODS[method][1], chunks={"gene": 400, "tf": 3})
    assert all(ds[name].chunks for name in FEATURE_NAMES)
    assert ds.isel(gene=slice(5), tf=[2, 1])["perturbation_pvalue"].chunks


def test_simulate__slicing_before_or_after() -> None:
    whole = made(**METHODS[4][1])
    lazy = made(**METHODS[4][1], chunks={"gene": 300, "tf": 4})
    part = {"gene": [900, 3, 4], "tf": slice(1, 9, 3)}
    xr.testing.assert_identical(lazy.isel(part).compute(), whole.isel(part))


def test_simulate__tfs_added_at_the_end_change_no_other() -> None:
    more = made(bound=[*POPULATION["bound"], 0.9], n_sample=[*POPULATION["n_sample"], 5], chunks={"tf": 4})
    xr.testing.assert_equal(more.isel(tf=slice(10)).compute(), made())


def test_simulate__replicates() -> None:
    three, five = made(replicates=3), made(replicates=5)
    assert three["label"].dims == ("replicate", "gene", "tf")
    xr.testing.assert_equal(five.isel(replicate=slice(3)), three)
    xr.testing.assert_equal(three.isel(replicate=0, drop=True), made())
    assert not three["label"].isel(replicate=0).equals(three["label"].isel(replicate=1))


@given(
    seed=st.integers(0, 2**64 - 1), genes=st.integers(1, 300), bound=st.lists(st.floats(0, 1), min_size=1, max_size=4)
)
def test_labels__exact_counts(seed: int, genes: int, bound: list[float]) -> None:
    labels = yx.generate_gene_population(genes, bound=bound, seed=seed)
    assert list(labels.sum("gene").values) == [round(genes * fraction) for fraction in bound]


def test_labels__every_gene_equally_likely() -> None:
    labels = yx.generate_gene_population(50, bound=[0.3], n_sample=[20_000], seed=1)
    counts = labels.sum("tf").values
    std = np.sqrt(20_000 * 0.3 * 0.7)
    assert abs(counts - 6000).max() < 6 * std


@pytest.fixture(scope="module")
def large() -> xr.Dataset:
    return yx.simulate(genes=6600, bound=[0.2], n_sample=[200], seed=42)


@pytest.mark.parametrize(("bound", "mean", "std"), [(True, 2.3889, 6.101), (False, 0.34127, 1.1397)])
def test_binding_effects__moments(large: xr.Dataset, bound: bool, mean: float, std: float) -> None:
    values = large["binding_effect"].values[large["label"].values == bound].astype(float)
    assert abs(values.mean() - mean) < 6 * std / np.sqrt(values.size)  # 6 standard errors
    fourth = np.mean((values - mean) ** 4)
    assert abs(values.std() - std) < 6 * np.sqrt((fourth - std**4) / values.size) / (2 * std)


@pytest.mark.parametrize(
    ("bound", "mean", "variance"), [(True, 3.00076, 1 + 9 - 3.00076**2), (False, 0.79788, 1 - 2 / np.pi)]
)
def test_perturbation_effects__moments(large: xr.Dataset, bound: bool, mean: float, variance: float) -> None:
    values = abs(large["perturbation_effect"].values[large["label"].values == bound].astype(float))
    assert abs(values.mean() - mean) < 6 * np.sqrt(variance / values.size)


def test_perturbation_pvalues__mean(large: xr.Dataset) -> None:
    values = large["perturbation_pvalue"].values.astype(float)
    assert abs(values.mean() - 0.46) < 6 * values.std() / np.sqrt(values.size)


@pytest.mark.parametrize("kind", ["binding", "perturbation"])
def test_pvalues__rule(large: xr.Dataset, kind: str) -> None:
    sizes = abs(large[f"{kind}_effect"].values.astype(float))
    large_ones = sizes >= np.quantile(sizes, 0.9, axis=0)
    pvalues = large[f"{kind}_pvalue"].values
    assert pvalues[large_ones].max() <= np.float32(0.2)
    assert pvalues[~large_ones].max() > 0.99
    assert pvalues.min() > 0


def test_method_2__raises_in_proportion_to_binding() -> None:
    ds = yx.simulate(genes=6600, bound=[0.3], n_sample=[100], max_mean_adjustment=10.0, bound_mean=6.0, seed=3)
    effect = ds["binding_effect"].values[ds["label"].values].astype(float)
    size = abs(ds["perturbation_effect"].values[ds["label"].values].astype(float))
    slope = np.polyfit(effect, size, 1)[0]
    largest = (6 / 76) / (1 / 1000)
    error = 1 / np.sqrt(((effect - effect.mean()) ** 2).sum())
    assert abs(slope - 10 / largest) < 6 * error
    unbound = abs(ds["perturbation_effect"].values[~ds["label"].values].astype(float))
    assert abs(unbound.mean() - 0.79788) < 6 * unbound.std() / np.sqrt(unbound.size)


@pytest.mark.parametrize("relations", [RELATED_TFS, BOOLEAN_RELATIONS], ids=["method 3", "method 4"])
@pytest.mark.parametrize("chunks", [None, {"gene": 300, "tf": 3}], ids=["numpy", "dask"])
def test_methods_3_and_4__brute_force(relations: dict, chunks: object) -> None:
    asked = {"max_mean_adjustment": 10.0, "bound_std": 0.0, "unbound_std": 0.0, "unbound_mean": 0.25}
    ds = made(**asked, tf_relationships=relations, chunks=chunks)
    label, effect = ds["label"].values, ds["binding_effect"].values.astype(float)
    expected = np.full(label.shape, 0.25)
    for gene in range(label.shape[0]):
        bound = set(np.flatnonzero(label[gene]).tolist())
        for tf in bound:
            if all(holds(entry, bound) for entry in relations.get(tf, [])):
                expected[gene, tf] = 3 + 10 * effect[gene, tf] / 78.94736842
    # Without noise the size of an effect is its mean: adjusted just where conditions hold, the unbound mean elsewhere.
    np.testing.assert_allclose(abs(ds["perturbation_effect"].values), expected, rtol=1e-6)
    adjusted = yx.adjusted_pairs(ds["label"], relations)
    np.testing.assert_array_equal(adjusted.values, expected > 0.25)
    assert 0 < adjusted.sum() < label.sum()


@pytest.mark.parametrize("chunks", [None, {"tf": 1}], ids=["numpy", "dask"])
def test_adjustment_function__means_must_be_finite(chunks: dict[str, int] | None) -> None:
    ds = yx.simulate(genes=20, bound=[0.5], seed=1, chunks=chunks)
    with pytest.raises(yx.InputError, match="means that are not finite; expected a finite number for each pair"):
        yx.generate_perturbation_effects(
            ds.label, ds.binding_effect, adjustment_function=lambda labels, _: xr.where(labels, np.nan, 1.0), seed=1
        ).compute()


def test_adjustment_function__is_the_mean() -> None:
    labels = yx.generate_gene_population(200, bound=[0.5], n_sample=[3], seed=1)
    effect = yx.generate_binding_effects(labels, seed=1)
    response = yx.generate_perturbation_effects(
        labels,
        effect,
        adjustment_function=lambda labels, effect: xr.where(labels, 7.0 + labels.tf, 0.5),
        bound_std=0.0,
        unbound_std=0.0,
        seed=1,
    )
    expected = xr.where(labels, 7.0 + labels.tf, 0.5)
    np.testing.assert_allclose(abs(response).values, expected.transpose("gene", "tf").values)
    for bad in (3, lambda labels, effect: 3.0):
        with pytest.raises(yx.InputError, match="adjustment_function"):
            yx.generate_perturbation_effects(labels, effect, adjustment_function=bad)
    with pytest.raises(yx.InputError, match="one rule"):
        yx.generate_perturbation_effects(
            labels, effect, adjustment_function=lambda labels, effect: labels, max_mean_adjustment=1.0
        )


@pytest.mark.parametrize("chunks", [None, {"tf": 1}], ids=["numpy", "dask"])
def test_largest_binding_effect__observed_where_origin_is_unknown(chunks: object) -> None:
    labels = yx.generate_gene_population(200, bound=[0.5], n_sample=[3], seed=1, chunks=chunks)
    effect = yx.generate_binding_effects(labels, seed=1)
    options = {"max_mean_adjustment": 10.0, "seed": 1}
    unknown = yx.generate_perturbation_effects(labels, effect.drop_attrs(), **options)
    observed = float(effect.max())
    told = yx.generate_perturbation_effects(labels, effect, largest_binding_effect=observed, **options)
    np.testing.assert_array_equal(unknown.values, told.values)
    known = yx.generate_perturbation_effects(labels, effect, **options)
    assert not np.array_equal(known.values, unknown.values)


@pytest.mark.parametrize("chunks", [None, {"tf": 1}], ids=["numpy", "dask"])
def test_largest_binding_effect__edited_effects_with_the_attributes_of_others(chunks: object) -> None:
    labels = yx.generate_gene_population(200, bound=[0.5], n_sample=[3], seed=1, chunks=chunks)
    effect = yx.generate_binding_effects(labels, seed=1)
    edited = (effect * np.float32(10)).assign_attrs(effect.attrs)
    options = {"max_mean_adjustment": 10.0, "seed": 1}
    with pytest.raises(yx.InputError, match=r"binding_effect reaches .*; pass largest_binding_effect"):
        yx.generate_perturbation_effects(labels, edited, **options).compute()
    yx.generate_perturbation_effects(labels, edited, **options, largest_binding_effect=789.0).compute()
    yx.generate_perturbation_effects(labels, edited.drop_attrs(), **options).compute()
    yx.generate_perturbation_effects(labels, edited, seed=1).compute()


def test_steps__dims_in_any_order() -> None:
    labels = yx.generate_gene_population(50, bound=[0.5], n_sample=[3], replicates=2, seed=1)
    turned = labels.transpose("tf", "replicate", "gene")
    xr.testing.assert_identical(
        yx.generate_binding_effects(turned, seed=1), yx.generate_binding_effects(labels, seed=1)
    )


def test_pvalues__nan_is_refused() -> None:
    effect = yx.generate_binding_effects(yx.generate_gene_population(50, bound=[0.5], seed=1), seed=1)
    effect[3, 0] = np.nan
    with pytest.raises(yx.InputError, match="NaN"):
        yx.generate_pvalues(effect, seed=1)


def test_pvalues__whose_they_are() -> None:
    effect = yx.generate_binding_effects(yx.generate_gene_population(50, bound=[0.5], seed=1), seed=1)
    with pytest.raises(yx.InputError, match="does not determine its p-values"):
        yx.generate_pvalues(effect.rename("mine"), seed=1)
    told = yx.generate_pvalues(effect.rename("mine"), seed=1, feature="binding_pvalue")
    xr.testing.assert_identical(told, yx.generate_pvalues(effect, seed=1))


def test_spec__json_and_attrs() -> None:
    spec = yx.SimulationSpec(
        genes=["a", "<script>"], tfs=["x", "y", "ü"], bound=[0.5, 1.0], n_sample=[1, 2],
        tf_relationships={"x": [yx.And("y", yx.Not("ü"))], "y": []}, replicates=2, seed=2**64 - 1,
    )  # fmt: skip
    assert yx.SimulationSpec.from_json(spec.to_json()) == spec
    ds = spec.simulate()
    assert yx.spec_of(ds) == spec
    xr.testing.assert_identical(yx.spec_of(ds).simulate(), ds)
    with pytest.raises(AttributeError):
        spec.seed = 3


def test_seed__drawn_and_stored() -> None:
    ds = yx.simulate(genes=10, bound=[0.5])
    other = yx.simulate(genes=10, bound=[0.5])
    assert ds.attrs["seed"] != other.attrs["seed"]
    xr.testing.assert_identical(yx.spec_of(ds).simulate(), ds)


def test_global_random_state__untouched() -> None:
    import torch

    state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    made().yeast.to_torch()
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), torch_state)


def test_assemble__refuses_an_array_in_the_place_of_another() -> None:
    ds = yx.simulate(genes=20, bound=[0.5], seed=1)
    arrays = [ds[name] for name in ("label", "binding_effect", "perturbation_effect", "binding_pvalue")]
    with pytest.raises(
        yx.SchemaError, match="binding_pvalue is an array with the name 'perturbation_effect'; expected"
    ):
        yx.assemble(*arrays, ds["perturbation_pvalue"])
    assert yx.assemble(ds.label, *(ds[name].rename("mine") for name in list(ds)[1:])).identical(ds)


def test_assemble__claims_no_spec_that_does_not_fit() -> None:
    ds = made()
    parts = [ds[name] for name in FEATURE_NAMES]
    assert yx.spec_of(yx.assemble(*parts)) is not None
    other = made(seed=1)
    assert yx.spec_of(yx.assemble(*parts[:3], other["perturbation_effect"], other["perturbation_pvalue"])) is None
    assert yx.spec_of(yx.assemble(*(part.isel(gene=slice(10)) for part in parts))) is None
    with pytest.raises(yx.SchemaError, match="different labels along 'gene'"):
        yx.assemble(parts[0], *(part.isel(gene=slice(None, None, -1)) for part in parts[1:]))


def test_steps__are_numbered_as_in_the_tutorial() -> None:
    numbered = {
        yx.generate_gene_population: "Step 1: ",
        yx.generate_binding_effects: "Step 2: ",
        yx.generate_pvalues: "Step 2 or 3: ",
        yx.generate_perturbation_effects: "Step 3: ",
        yx.assemble: "Step 4: ",
    }
    assert all(step.__doc__.startswith(number) for step, number in numbered.items())


def test_pvalues__do_not_follow_effects_within_the_large_group(large: xr.Dataset) -> None:
    effect, pvalue = large["binding_effect"].values, large["binding_pvalue"].values
    sizes = effect >= np.quantile(effect, 0.9, axis=0)
    for group in (sizes, ~sizes):
        correlation = np.corrcoef(effect[group], pvalue[group])[0, 1]
        assert abs(correlation) < 6 / np.sqrt(group.sum())


def test_relations__count_without_an_adjustment() -> None:
    ds = made(tf_relationships=RELATED_TFS, unbound_mean=0.5, unbound_std=0.0, bound_std=0.0)
    active = yx.adjusted_pairs(ds["label"], RELATED_TFS).values
    np.testing.assert_array_equal(
        abs(ds["perturbation_effect"].values), np.where(active, np.float32(3), np.float32(0.5))
    )
