"""Numba, used in one way: compiled at the first call, kept, one thread, without the lock.

Importing this loads numba: import modules of kernels where they are needed, not at the top.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile a function; the code is kept beside its file, or in the user's cache."""
    try:
        kernel: Function = njit(cache=True, nogil=True)(function)
    except RuntimeError:  # neither folder can be written
        kernel = njit(nogil=True)(function)
    return kernel
