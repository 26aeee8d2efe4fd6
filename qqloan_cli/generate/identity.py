"""Numbers with check digits, whole columns at a time: resident IDs, cards, credit codes. A number is a row of a uint8 matrix of ASCII."""

from __future__ import annotations

import numpy as np

_ZERO = ord("0")
_ID_WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2], np.int64)
_ID_CHECK = np.frombuffer(b"10X98765432", np.uint8)
_USCC = np.frombuffer(b"0123456789ABCDEFGHJKLMNPQRTUWXY", np.uint8)
_USCC_WEIGHTS = np.array([3**i % 31 for i in range(17)], np.int64)
_ORG_WEIGHTS = np.array([3, 7, 9, 10, 5, 8, 4, 2], np.int64)


def digits(values: np.ndarray, width: int) -> np.ndarray:
    """(n, width) ASCII of non-negative integers, zeros before them; digits beyond ``width`` are cut off."""
    powers = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
    return (values.astype(np.int64)[:, None] // powers % 10 + _ZERO).astype(np.uint8)


def ascii_rows(texts) -> np.ndarray:
    """(n, width) of texts that are all of one width."""
    return np.frombuffer("".join(texts).encode("ascii"), np.uint8).reshape(len(texts), -1)


def resident_ids(regions: np.ndarray, births: np.ndarray, order: np.ndarray) -> np.ndarray:
    """(n, 18) GB 11643 from (n, 6) region codes, days (datetime64[D]) and order numbers 0..999 (odd is male)."""
    body = np.hstack([regions, date_digits(births), digits(order, 3)])
    return np.hstack([body, id_check(body)[:, None]])


def id_check(body: np.ndarray) -> np.ndarray:
    """Check digit, ISO 7064 MOD 11-2, of the 17 before it."""
    return _ID_CHECK[((body.astype(np.int64) - _ZERO) @ _ID_WEIGHTS) % 11]


def date_digits(days: np.ndarray) -> np.ndarray:
    """(n, 8) YYYYMMDD."""
    months = days.astype("datetime64[M]")
    month = months.astype(np.int64)
    day = (days.astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64) + 1
    return digits((month // 12 + 1970) * 10_000 + (month % 12 + 1) * 100 + day, 8)


def cards(bins: np.ndarray, body: np.ndarray) -> np.ndarray:
    """Card numbers that pass Luhn: (n, b) issuer digits, (n, k) digits after them, and the check digit."""
    front = np.hstack([bins, body])
    value = front.astype(np.int64) - _ZERO
    doubled = value[:, ::-1].copy()
    doubled[:, ::2] *= 2
    doubled[:, ::2] -= 9 * (doubled[:, ::2] > 9)
    check = (10 - doubled.sum(axis=1) % 10) % 10
    return np.hstack([front, (check + _ZERO).astype(np.uint8)[:, None]])


def credit_codes(kinds: np.ndarray, regions: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """(n, 18) GB 32100: (n, 2) registrar and kind, (n, 6) region, organisation number 0..99,999,999 with its own check (GB 11714)."""
    organisation = digits(numbers, 8)
    remainder = (11 - ((organisation.astype(np.int64) - _ZERO) @ _ORG_WEIGHTS) % 11) % 11
    organisation_check = np.where(remainder == 10, ord("X"), remainder + _ZERO).astype(np.uint8)
    body = np.hstack([kinds, regions, organisation, organisation_check[:, None]])
    value = np.searchsorted(_USCC, body)
    return np.hstack([body, _USCC[(31 - (value @ _USCC_WEIGHTS) % 31) % 31][:, None]])


def hexadecimal(values: np.ndarray) -> np.ndarray:
    """(n, 16) of 64-bit integers."""
    shifts = np.arange(60, -1, -4, dtype=np.uint64)
    return np.frombuffer(b"0123456789abcdef", np.uint8)[(values.astype(np.uint64)[:, None] >> shifts) & np.uint64(15)]


def scattered(values: np.ndarray, below: int, step: int, start: int) -> np.ndarray:
    """Different integers to different integers below ``below``: nobody shares a number by chance. ``step`` has no divisor in common with it."""
    return (values.astype(np.int64) % below * step + start) % below


def mixed(values: np.ndarray, salt: int) -> np.ndarray:
    """64 bits that look random and differ where the values do (splitmix64)."""
    with np.errstate(over="ignore"):
        x = values.astype(np.uint64) + np.uint64(salt % 2**64) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))
