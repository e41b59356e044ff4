"""Decimals as they travel: an unscaled integer in two's complement, and a scale beside it (KIP-481)."""

from __future__ import annotations


def digits_of(unscaled: int, scale: int) -> str:
    """The number unscaled × 10^-scale by its digits, every digit of the scale written out.

    Raises ValueError beyond the digits Python writes (4,300), which no column holds."""
    digits = str(abs(unscaled))
    sign = "-" if unscaled < 0 else ""
    if scale <= 0:
        return sign + digits + "0" * -scale
    digits = digits.rjust(scale + 1, "0")
    return f"{sign}{digits[:-scale]}.{digits[-scale:]}"
