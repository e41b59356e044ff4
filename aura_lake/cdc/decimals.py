"""Decimals as they travel: an unscaled integer in two's complement, and a scale beside it (KIP-481)."""

from __future__ import annotations

#: PostgreSQL's numeric has at most so many digits after its point ("Numeric Types").
MOST_DIGITS_AFTER_POINT = 16_383


def digits_of(raw: bytes, scale: int) -> str | None:
    """The number (the integer in `raw`, big-endian) × 10^-scale by its digits, those of the scale written out.

    None where it has more digits than PostgreSQL's numeric, or than Python writes (4,300), which no column holds."""
    if abs(scale) > MOST_DIGITS_AFTER_POINT:
        return None
    unscaled = int.from_bytes(raw, "big", signed=True)
    try:
        digits = str(abs(unscaled))
    except ValueError:
        return None
    sign = "-" if unscaled < 0 else ""
    if scale <= 0:
        return sign + digits + "0" * -scale
    digits = digits.rjust(scale + 1, "0")
    return f"{sign}{digits[:-scale]}.{digits[-scale:]}"
