"""How the coefficients of the normal quantile in yeastxr/simulation/kernels.py were made.

The upper quantile z(u) is smooth in s = sqrt(-2 ln u) on the whole of 2**-66 <= u <= 1/2, and 0 at s0 = s(1/2). So
z / (s - s0) is fitted by a rational function of degree 5 over 5 in s - 4, by least squares that is reweighted until
the largest relative error is as small as it gets (Lawson 1961). Run it with scipy installed; it prints both.
"""

import numpy as np
from numpy.polynomial.polynomial import polyval
from scipy.special import ndtri

DEGREE, CENTRE = 5, 4.0
S0, S_END = np.sqrt(2 * np.log(2)), 9.60


def fit() -> tuple[float, np.ndarray, np.ndarray]:
    """Return the largest relative error and the coefficients of numerator and denominator, lowest first."""
    angle = np.linspace(0, np.pi, 4001)[1:]
    s = S0 + (S_END - S0) * (1 - np.cos(angle)) / 2  # dense at the ends, where the error of a fit is largest
    wanted = -ndtri(np.exp(-s * s / 2)) / (s - S0)
    powers = np.vander(s - CENTRE, DEGREE + 1, increasing=True)
    weight, denominator = np.ones_like(s), np.ones_like(s)
    best = (np.inf, np.empty(0), np.empty(0))
    for _ in range(300):
        scale = np.sqrt(weight) / (denominator * wanted)
        matrix = np.hstack([powers, -wanted[:, None] * powers[:, 1:]]) * scale[:, None]
        size = np.abs(matrix).max(axis=0)
        solution = np.linalg.lstsq(matrix / size, wanted * scale, rcond=None)[0] / size
        p, q = solution[: DEGREE + 1], np.r_[1.0, solution[DEGREE + 1 :]]
        denominator = polyval(s - CENTRE, q)
        error = np.abs(polyval(s - CENTRE, p) / denominator / wanted - 1)
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
