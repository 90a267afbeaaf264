"""How the coefficients of the upper normal tail in yeastxr/simulation/kernels.py were made.

The ratio of the upper tail to exp(-x**2 / 2) is smooth and falls slowly, like 1 / (x sqrt(2 pi)). So it is fitted by a
rational function of degree 6 over 7 on 0 <= x <= 38, where the tail leaves float64, by least squares that is reweighted
until the largest relative error is as small as it gets (Lawson 1961). Run it with scipy installed; it prints both.
"""

import numpy as np
from numpy.polynomial.polynomial import polyval
from scipy.special import erfcx

NUMERATOR, DENOMINATOR, END = 6, 7, 38.0


def fit() -> tuple[float, np.ndarray, np.ndarray]:
    """Return the largest relative error and the coefficients of numerator and denominator, lowest first."""
    x = END * ((1 - np.cos(np.linspace(0, np.pi, 6001))) / 2) ** 2.5  # dense at 0, where the ratio bends
    wanted = erfcx(x / np.sqrt(2)) / 2
    numerators = np.vander(x, NUMERATOR + 1, increasing=True)
    denominators = np.vander(x, DENOMINATOR + 1, increasing=True)
    weight, denominator = np.ones_like(x), np.ones_like(x)
    best = (np.inf, np.empty(0), np.empty(0))
    for _ in range(400):
        scale = np.sqrt(weight) / (denominator * wanted)
        matrix = np.hstack([numerators, -wanted[:, None] * denominators[:, 1:]]) * scale[:, None]
        size = np.linalg.norm(matrix, axis=0)
        solution = np.linalg.lstsq(matrix / size, wanted * scale, rcond=1e-17)[0] / size
        p, q = solution[: NUMERATOR + 1], np.r_[1.0, solution[NUMERATOR + 1 :]]
        denominator = polyval(x, q)
        error = np.abs(polyval(x, p) / denominator / wanted - 1)
        if error.max() < best[0]:
            best = (float(error.max()), p, q)
        weight *= error / error.max() + 1e-3
        weight /= weight.mean()
    return best


if __name__ == "__main__":
    largest, numerator, denominator = fit()
    print(f"largest relative error {largest:.2g}")
    print("P", [float(c) for c in numerator])
    print("Q", [float(c) for c in denominator])
