"""Independent pieces of work on all cores, with the results of a plain loop."""

from __future__ import annotations

import importlib.util
import pickle
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeVar, cast

Given = TypeVar("Given")
Item = TypeVar("Item")
Answer = TypeVar("Answer")


def spread(
    work: Callable[[Given, Item], Answer], given: Given, items: Sequence[Item], *, parallel: bool = True
) -> list[Answer]:
    """[work(given, item) for item in items]; `parallel` ones in as many processes as there are cores.

    work: a function of a module. given: what every call needs; each process gets it once. The number of processes
    (`LOKY_MAX_CPU_COUNT` limits it) changes no result. Where joblib is not installed the loop runs here.
    """
    count = min(_cores(), len(items)) if parallel else 1
    if count < 2:
        return [work(given, item) for item in items]
    from joblib import Parallel, delayed

    packed = pickle.dumps(given)
    return cast("list[Answer]", Parallel(n_jobs=count)(delayed(_call)(work, packed, item) for item in items))


def _cores() -> int:
    if importlib.util.find_spec("joblib") is None:
        return 1
    from joblib import cpu_count

    return cpu_count()


def _call(work: Callable[[Any, Item], Answer], packed: bytes, item: Item) -> Answer:
    return work(_unpacked(packed), item)


@lru_cache(maxsize=1)
def _unpacked(packed: bytes) -> Any:
    return pickle.loads(packed)
