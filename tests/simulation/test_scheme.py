"""The random-number scheme, bit for bit: against another implementation of it, and on less capable processors."""

import os
import subprocess
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import yeastxr as yx
from tests.reference import scheme
from yeastxr.simulation import draws, kernels
from yeastxr.simulation.parameters import BindingParameters

SEEDS = st.integers(0, 2**64 - 1) | st.sampled_from([0, 2**32 - 1, 2**32, 2**64 - 1])
SOME_POSITIONS = st.lists(st.integers(0, 2**32 - 2), min_size=1, max_size=5)
RANGES = st.lists(st.integers(0, 2**31 - 1), min_size=2, max_size=2).map(lambda ends: tuple(sorted(ends)))


@st.composite
def blocks(draw: st.DrawFn) -> tuple[int, draws.Positions]:
    """Return a seed and positions anywhere: a block of genes x TFs of one replicate."""
    replicate = np.array(draw(st.integers(0, 2**32 - 2)))[None, None]
    gene, tf = np.array(draw(SOME_POSITIONS))[:, None], np.array(draw(SOME_POSITIONS))
    return draw(SEEDS), draws.Positions(replicate, gene, tf)


def draw_words(block: tuple[int, draws.Positions], stream: int) -> scheme.Words:
    """Return the words of a block by another implementation of the scheme."""
    seed, (replicate, gene, tf, _) = block
    return scheme.words(seed, gene, tf, stream, replicate)


def same_bits(found: np.ndarray, expected: np.ndarray) -> None:
    """Compare bits, so that 0.0 and -0.0 differ."""
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found.view(np.uint32), expected.view(np.uint32))


def labels_like(block: tuple[int, draws.Positions]) -> np.ndarray:
    return np.random.default_rng(block[0]).random(block[1].shape) < 0.5


@given(seed=SEEDS, tf=SOME_POSITIONS, replicate=st.integers(0, 2**32 - 2), genes=st.integers(1, 60), data=st.data())
def test_labels__as_the_scheme_defines(
    seed: int, tf: list[int], replicate: int, genes: int, data: st.DataObject
) -> None:
    counts = [data.draw(st.integers(0, genes)) for _ in tf]
    where = draws.Positions(np.array(replicate)[None, None], np.arange(genes)[:, None], np.array(tf))
    expected = scheme.labels(draw_words((seed, where), scheme.BINDING), counts)
    np.testing.assert_array_equal(draws.draw_label_columns(np.array([counts]), *where, seed=seed), expected)
    limits = draws.find_label_limits(np.array([counts]), where.replicate, where.tf[None], seed=seed, genes=genes)
    np.testing.assert_array_equal(draws.draw_labels(limits, *where, seed=seed), expected)


@given(
    keys=st.lists(st.integers(0, 3) | st.integers(0, 2**32 - 1), min_size=1, max_size=60),
    spread=st.sampled_from([1, 2**30]),
    data=st.data(),
)
def test_labels__equal_keys(keys: list[int], spread: int, data: st.DataObject) -> None:
    column = np.array(keys, np.uint64) * spread % 2**32
    count = data.draw(st.integers(0, len(keys)))
    limit = kernels.find_label_limit(column.astype(np.uint32), count, np.empty(len(keys) + 1, np.uint32))
    found = np.empty(len(keys), bool)
    kernels.set_labels(column.astype(np.uint32), np.arange(len(keys), dtype=np.uint32), np.uint64(limit), found)
    np.testing.assert_array_equal(found, scheme.labels((column[:, None],), [count])[:, 0])
    assert found.sum() == count


@given(block=blocks(), background=RANGES, unbound=RANGES, bound=RANGES, totals=st.tuples(*[st.integers(1, 10**9)] * 2))
def test_binding_effects__as_the_scheme_defines(
    block: tuple[int, draws.Positions],
    background: tuple[int, int],
    unbound: tuple[int, int],
    bound: tuple[int, int],
    totals: tuple[int, int],
) -> None:
    seed, where = block
    label = labels_like(block)
    background = (max(1, background[0]), max(1, background[1]))
    params = BindingParameters(
        background_hops_range=background,
        unbound_experiment_hops_range=unbound,
        bound_experiment_hops_range=bound,
        total_experiment_hops=totals[0],
        total_background_hops=totals[1],
    )
    found = draws.draw_binding_effects(label, *where, hops=params.hop_ranges, factors=params.factors, seed=seed)
    drawn = draw_words(block, scheme.BINDING)
    same_bits(found, scheme.binding_effects(drawn, label, (background, unbound, bound), (*totals, 1e-10)))


@given(block=blocks(), upper=st.floats(0, 1), stream=st.sampled_from(["BINDING", "PERTURBATION"]))
def test_pvalues__as_the_scheme_defines(block: tuple[int, draws.Positions], upper: float, stream: str) -> None:
    seed, where = block
    effect = np.random.default_rng(seed).standard_normal(where.shape).astype(np.float32)
    large = abs(effect) >= 0.5
    cutoffs = np.full((1, where.tf.size), 0.5)
    found = draws.draw_pvalues(effect, cutoffs, *where, stream=draws.Stream[stream], upper=upper, seed=seed)
    same_bits(found, scheme.pvalues(draw_words(block, getattr(scheme, stream)), upper, large))
    assert (found >= 0).all()
    assert (found.astype(float) <= np.where(large, upper, 1)).all()


@given(block=blocks(), means=st.tuples(*[st.floats(-50, 50)] * 2), stds=st.tuples(*[st.floats(0, 20)] * 2))
def test_perturbation_effects__as_the_scheme_defines(
    block: tuple[int, draws.Positions], means: tuple[float, float], stds: tuple[float, float]
) -> None:
    seed, where = block
    label = labels_like(block)
    adjusted = label & labels_like((seed + 1, where))
    effect = np.random.default_rng(seed).random(where.shape, np.float32)
    slope = 0.125
    mean = np.where(adjusted, means[1] + slope * effect.astype(float), means[0])
    drawn = draw_words(block, scheme.PERTURBATION)
    expected = scheme.perturbation_effects(drawn, mean, np.array(stds)[label.astype(int)])
    numbers = (means[0], stds[0], means[1], stds[1], slope)
    same_bits(draws.draw_perturbation_effects(label, adjusted, effect, *where, numbers=numbers, seed=seed), expected)
    same_bits(draws.draw_perturbation_effects_from_means(label, mean, *where, stds=stds, seed=seed), expected)


@pytest.mark.parametrize("slope", [0.0, 10.0])
def test_simulate__as_the_scheme_defines(slope: float) -> None:
    genes, bound = 357, [0.0, 0.1, 0.1, 0.5, 1.0, 0.3]
    ds = yx.simulate(genes, bound=bound, max_mean_adjustment=slope, replicates=2, seed=2**63 + 5)
    largest = 6 * (1000 + 1e-10) / (76 + 1e-10) / (1 + 1e-10 * (1000 + 1e-10))
    for replicate in range(2):
        counts = [round(genes * fraction) for fraction in bound]
        expected = scheme.simulate(2**63 + 5, genes, counts, replicate, slope / largest)
        for name, values in zip(yx.FEATURES, expected, strict=True):
            found = ds[name.name].values[replicate]
            if found.dtype == bool:
                np.testing.assert_array_equal(found, values)
            else:
                same_bits(found, values)


@given(values=st.lists(st.integers(0, 2**32 - 1) | st.integers(0, 5), min_size=1, max_size=80), data=st.data())
def test_select__as_sorting(values: list[int], data: st.DataObject) -> None:
    array, rank = np.array(values, np.uint32), data.draw(st.integers(0, len(values) - 1))
    assert kernels.select_kth(array, rank) == np.sort(array)[rank]


@given(values=st.lists(st.integers(0, 2**32 - 1) | st.integers(0, 5), min_size=1, max_size=8))
def test_select__in_any_window(values: list[int]) -> None:
    array, buffer = np.array(values, np.uint32), np.empty(len(values) + 1, np.uint32)
    ordered = np.sort(array)
    for rank, low, high in product(range(array.size), ordered, ordered):
        if low > high:
            continue
        kth, following = kernels.select_near(array, rank, low, high - low, buffer)
        assert (kth, following) == (ordered[rank], ordered[min(rank + 1, array.size - 1)])


@given(
    values=st.lists(st.floats(-9, 9, width=32) | st.sampled_from([0.0, -0.0, 1.0, -1.0]), min_size=1, max_size=80),
    fraction=st.floats(0, 1) | st.sampled_from([0.0, 0.5, 0.9, 1.0]),
)
def test_abs_quantiles__as_numpy(values: list[float], fraction: float) -> None:
    columns = np.array(values, np.float32)[:, None] * np.array([1, 8, -1], np.float32)
    found = draws.compute_abs_quantiles(columns, fraction=fraction)
    expected = np.quantile(abs(columns).astype(np.float64), fraction, axis=0, keepdims=True)
    np.testing.assert_allclose(found, expected, rtol=1e-15, atol=0)


COLUMNS: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "normal": lambda rng: rng.standard_normal(6600),
    "few values": lambda rng: rng.integers(0, 3, 6600),
    "one value": lambda rng: np.ones(5000),
    "sorted": lambda rng: np.arange(3000)[::-1],
    "a sample unlike the rest": lambda rng: np.where(np.arange(6144) % 12 == 0, 1e30, rng.random(6144)),
    "shorter than the sample": lambda rng: rng.standard_normal(511),
}


@pytest.mark.parametrize("make", COLUMNS.values(), ids=COLUMNS)
def test_abs_quantiles__of_whole_columns(make: Callable[[np.random.Generator], np.ndarray]) -> None:
    columns = np.stack([make(np.random.default_rng(seed)) for seed in range(3)], axis=-1).astype(np.float32)
    for fraction in (0.0, 0.001, 0.3, 0.9, 0.9999, 1.0):
        found = draws.compute_abs_quantiles(columns, fraction=fraction)
        expected = np.quantile(abs(columns).astype(np.float64), fraction, axis=0, keepdims=True)
        np.testing.assert_allclose(found, expected, rtol=1e-15, atol=0)


def test_upper_normal__against_the_exact_quantile() -> None:
    from scipy.special import ndtri_exp

    rng = np.random.default_rng(0)
    exponents = rng.integers(0, 64, 20_000)
    bits = np.array([int(rng.integers(2**63)) * 2 >> int(e) for e in exponents] + [0, 1, 2**64 - 1], object)
    u = np.array([(2 * int(b) + 1) / 2**66 for b in bits])
    found = [kernels.compute_upper_normal.py_func(np.uint64(int(b) >> 32), np.uint64(int(b) % 2**32)) for b in bits]
    expected = -ndtri_exp(np.log(u))
    np.testing.assert_allclose(found, expected, rtol=4e-11, atol=1e-12)
    assert max(found) > 9.2


@pytest.mark.medium  # compiles all kernels
@pytest.mark.parametrize("module", ["test_steps.py", pytest.param("test_extended.py", marks=pytest.mark.slow)])
def test_golden_hashes__on_a_less_capable_processor(module: str, tmp_path: Path) -> None:
    # Numba compiles for any processor of this kind, and NumPy uses none of its faster loops.
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    less = {"NUMBA_CPU_NAME": "generic", "NPY_DISABLE_CPU_FEATURES": " ".join(found), "NUMBA_CACHE_DIR": str(tmp_path)}
    golden = f"{Path(__file__).parent / module}::test_scheme__golden_hashes"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", golden]
    run = subprocess.run(command, env={**os.environ, **less}, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
