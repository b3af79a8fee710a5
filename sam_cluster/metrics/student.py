"""Quantiles of Student's t, for intervals from few points.

Degrees of freedom are whole here (points less parameters), for which the distribution is a finite sum of
sines and cosines: exact, a dozen lines, and no need of an incomplete beta function or of scipy.
"""

from __future__ import annotations

import math


def two_sided_probability(t: float, degrees: int) -> float:
    """The probability that Student's t with so many degrees of freedom lies within -t to t.

    With theta = atan(t / sqrt(n)), c = cos(theta): for even n, sin(theta) * (1 + 1/2 c**2 + 1*3/(2*4) c**4 +
    … c**(n-2)); for odd n, 2/pi * (theta + sin(theta) * (c + 2/3 c**3 + 2*4/(3*5) c**5 + … c**(n-2))).
    Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4. Raises
    ValueError for fewer than one degree of freedom.
    """
    if degrees < 1:
        raise ValueError(f"Student's t has 1 degree of freedom or more, got {degrees}")
    theta = math.atan(t / math.sqrt(degrees))
    sine, cosine = math.sin(theta), math.cos(theta)
    is_odd = degrees % 2
    term = cosine if is_odd else 1.0
    terms = [term] if degrees > 1 else []
    for power in range(2 + is_odd, degrees - 1, 2):
        term *= (power - 1) / power * cosine**2
        terms.append(term)
    within = sine * math.fsum(terms)
    return 2 / math.pi * (theta + within) if is_odd else within


def t_quantile(probability: float, degrees: int) -> float:
    """The t that Student's t stays within, to both sides, with a probability: 12.71 for 0.95 and 1 degree.

    Found by halving. Raises ValueError for a probability outside 0 to 1, both excluded.
    """
    if not 0 < probability < 1:
        raise ValueError(f"a probability is above 0 and below 1, got {probability!r}")
    least, most = 0.0, 1.0
    while two_sided_probability(most, degrees) < probability:
        most *= 2
    while (middle := (least + most) / 2) not in (least, most):
        if two_sided_probability(middle, degrees) < probability:
            least = middle
        else:
            most = middle
    return middle
