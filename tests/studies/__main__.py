"""``make studies``: how often the checks fail on correct datasets, and which errors they find; writes a page."""

import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from pathlib import Path

import numpy as np

import yeastxr as yx
from tests.reference.injected import ERRORS, EXTENDED, EXTENDED_ERRORS, ODD, make_extended_spec, make_spec
from yeastxr.demo import METHODS, POPULATION

PAGE = Path(__file__).parent.parent.parent / "docs" / "validation.md"
SEEDS = 1000
LEVELS = (0.05, 0.01, 0.001)

HEAD = """\
# Validation of the checks

How often do the checks fail on correct datasets, and which errors do they find? `make studies` generated this page on
{date}. The tests run a smaller version of both studies.

"""
CALIBRATION = """\
## Correct datasets

Simulations with the tutorial's configuration (1,000 genes, 10 TFs) by each method, with unusual specifications, and
with the extensions of the tutorial's model (300 genes, 10 TFs), with {seeds:,} seeds each. The table has the number
of datasets for which any check fails, at each level (the default is 0.001). The level is an upper bound of the
expected rate: all tests share it (Bonferroni correction), and many p-values are conservative. The standard deviation
of an observed number is about its square root.

| simulation | at 0.05: expected up to {fifty:,.0f} | at 0.01: up to {ten:,.0f} | at 0.001: up to {one:,.0f} |
|---|---:|---:|---:|
"""
POWER = """\
## Incorrect datasets

Each dataset of {genes:,} genes x {tfs:,} TFs (method 4, then the extensions of the tutorial's model, with five errors
for each parameter) has one injected error, which its attributes do not describe. The second column lists the checks
that fail at the level 0.001. The statistic and the p-value are those of the first one.

| injected error | failed checks | statistic | p-value |
|---|---|---:|---:|
"""


SIMULATIONS = (
    {f"method {method}: {name}": {**POPULATION, **extra} for method, (name, extra) in METHODS.items()}
    | ODD
    | {name: {"genes": 300, "bound": [0.1, 0.3], "n_sample": [5, 5], **extra} for name, extra in EXTENDED.items()}
)


def find_smallest_pvalue(job: tuple[str, int]) -> tuple[str, float, list[str]]:
    """Return the simulation, the smallest p-value times the number of tests, and the exact checks that fail."""
    name, seed = job
    table = yx.check(yx.simulate(**SIMULATIONS[name], seed=seed))
    pvalues = np.array([row.pvalue for row in table.rows])
    tests = np.isfinite(pvalues)
    exact = [row.name for row in table.rows if row.passed is False and np.isnan(row.pvalue)]
    return name, float(pvalues[tests].min() * tests.sum()), exact


def study_calibration() -> Iterator[str]:
    """Yield the lines of the study of correct datasets."""
    jobs = [(name, 1_000_000 * (i + 1) + seed) for i, name in enumerate(SIMULATIONS) for seed in range(SEEDS)]
    failed: Counter[tuple[str, float]] = Counter()
    with ProcessPoolExecutor() as pool:
        for name, pvalue, exact in pool.map(find_smallest_pvalue, jobs, chunksize=50):
            if exact:
                raise AssertionError(f"exact checks failed on a correct dataset of {name}: {exact}")
            failed.update((name, level) for level in LEVELS if pvalue < level)
    yield CALIBRATION.format(seeds=SEEDS, fifty=SEEDS * 0.05, ten=SEEDS * 0.01, one=SEEDS * 0.001)
    for name in SIMULATIONS:
        yield f"| {name} | {' | '.join(str(failed[name, level]) for level in LEVELS)} |\n"
    sums = [str(sum(failed[name, level] for name in SIMULATIONS)) for level in LEVELS]
    yield f"| all {len(jobs):,} | {' | '.join(sums)} |\n"


def study_power() -> Iterator[str]:
    """Yield the lines of the study of injected errors."""
    spec = make_spec()
    yield POWER.format(genes=spec.n_genes, tfs=len(spec.tf_labels))
    cases = [(name, inject, spec) for name, (inject, _) in ERRORS.items()]
    cases += [
        (name, inject, make_extended_spec(**parameters)) for name, (parameters, inject, _) in EXTENDED_ERRORS.items()
    ]
    for name, inject, claimed in cases:
        failed = [row for row in yx.check(inject(claimed)).rows if row.passed is False]
        if not failed:
            yield f"| {name} | **none** | | |\n"
            continue
        first = min(failed, key=lambda row: (np.isnan(row.pvalue), row.pvalue))
        names = [first.name, *(row.name for row in failed if row is not first)]
        numbers = ("" if np.isnan(number) else f"{number:.3g}" for number in (first.statistic, first.pvalue))
        yield f"| {name} | {'; '.join(names).replace('|', '&#124;')} | {' | '.join(numbers)} |\n"


def main() -> None:
    """Run both studies and write the page."""
    lines = [HEAD.format(date=date.today().isoformat())]
    for study in (study_calibration, study_power):
        for line in study():
            print(line, end="", file=sys.stderr, flush=True)
            lines.append(line)
        lines.append("\n")
    PAGE.write_text("".join(lines).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
