"""torch for gradient training: found when it is asked for, and held to one order of sums."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from hrsnn_lava.errors import BackendMissingError, Problem

__all__ = ["find_torch", "reproducible", "safetensors_numpy"]

_INSTALL = "install both: pip install 'hrsnn-lava[train]'"


def find_torch(device: str = "cpu") -> Any:
    """The module torch.

    Raises:
        BackendMissingError: it is not installed, or there is no GPU that it can use.
    """
    try:
        import torch
    except ImportError as error:
        problem = Problem("gradient training", "torch is not installed", "torch >= 2.3", _INSTALL)
        raise BackendMissingError(str(problem)) from error
    if device == "cuda" and not torch.cuda.is_available():
        build = f"torch {torch.__version__} finds none"
        problem = Problem("device", f"cuda: there is no GPU ({build})", "cpu", "use device cpu")
        raise BackendMissingError(str(problem))
    return torch


def safetensors_numpy() -> ModuleType:
    """The module safetensors.numpy, in whose format checkpoints are.

    Raises:
        BackendMissingError: it is not installed.
    """
    try:
        import safetensors.numpy
    except ImportError as error:
        problem = Problem(
            "checkpoint", "safetensors is not installed", "safetensors, or no checkpoint", _INSTALL
        )
        raise BackendMissingError(str(problem)) from error
    module: ModuleType = safetensors.numpy
    return module


@contextmanager
def reproducible(torch: Any, threads: int) -> Iterator[None]:
    """Meanwhile torch adds in one order, on so many threads of the CPU, and without TF32.

    These are settings of the whole process, and put back afterwards. On a GPU some sums have no
    fixed order in torch: they are warned of and made all the same.
    """
    products = torch.backends.cuda.matmul
    before = (
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        products.allow_tf32,
        torch.utils.deterministic.fill_uninitialized_memory,
    )
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    products.allow_tf32 = False
    # it would write NaN into every new array, which nothing here reads before it is filled
    torch.utils.deterministic.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1], warn_only=before[2])
        products.allow_tf32 = before[3]
        torch.utils.deterministic.fill_uninitialized_memory = before[4]
