"""Random numbers as a pure function of a counter: no state, so no order to keep or to restore.

The hash is splitmix64's finalizer ("mix13" of Stafford) over seed, stream and counter. A
permutation of 0..n-1 is a four-round Feistel network on the next even number of bits, walked until
it falls below n (Black and Rogaway 2002, "Ciphers with arbitrary finite domains").
"""

import numpy as np
import numpy.typing as npt

U64 = npt.NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_ROUNDS = 4


def random_u64(seed: int, stream: int, counter: npt.ArrayLike) -> U64:
    """One uniform 64-bit number per counter; different streams of a seed are independent."""
    with np.errstate(over="ignore"):
        key = _mix(_mix(np.uint64(seed) + _GOLDEN) ^ np.uint64(stream))
        return _mix(np.asarray(counter).astype(np.uint64) * _GOLDEN + key)


def uniform(seed: int, stream: int, counter: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """One float64 in [0, 1) per counter, with 53 random bits."""
    return (random_u64(seed, stream, counter) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def permute(index: npt.ArrayLike, n: int, seed: int, stream: int) -> npt.NDArray[np.int64]:
    """Where each index of 0..n-1 goes under the permutation named by `seed` and `stream`."""
    half = max(1, ((n - 1).bit_length() + 1) // 2)
    result = np.asarray(index).astype(np.uint64)
    if result.size and int(result.max()) >= n:
        raise ValueError(f"index {int(result.max())} is not below n = {n}")
    result = _feistel(result, half, seed, stream)
    while (outside := np.flatnonzero(result >= n)).size:
        result[outside] = _feistel(result[outside], half, seed, stream)
    return result.astype(np.int64)


def _feistel(value: U64, half: int, seed: int, stream: int) -> U64:
    mask, shift = np.uint64((1 << half) - 1), np.uint64(half)
    left, right = value >> shift, value & mask
    for number in range(_ROUNDS):
        mixed = random_u64(seed, stream * _ROUNDS + number, right)
        left, right = right, left ^ (mixed & mask)
    return (left << shift) | right


def _mix(x: U64 | np.uint64) -> U64:
    with np.errstate(over="ignore"):
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(x ^ (x >> np.uint64(31)), dtype=np.uint64)
