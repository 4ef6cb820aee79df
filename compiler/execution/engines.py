"""Where calls run: in this process, or on the workers of a Dask cluster, of this machine or any other."""

from __future__ import annotations

import logging
import multiprocessing
import pickle
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ... import __version__
from ...bridges.extras import need
from ...ir import Diagnostic, InputError, MissingError, QscError
from ..environment import tool_versions
from ..manager import InternalError

if TYPE_CHECKING:
    from distributed import Client, Future

Done = Callable[[Any], None]
"""Told of a result when it arrives."""

CONNECT_SECONDS = 10
"""How long a scheduler has to answer."""

RETRIES = 2
"""How often a call that raised is tried again; one whose worker died is tried as often as the scheduler allows."""


@dataclass(frozen=True)
class Shared:
    """A value as an engine hands it to calls."""

    held: Any


class Pending(Protocol):
    """A call that was submitted."""

    def result(self) -> Any:
        """What it gave; waits for it. Raises what every attempt raised, with the name of the call."""
        ...


class Engine(Protocol):
    """Runs calls of functions of modules, whose arguments and results can be pickled."""

    def share(self, value: Any) -> Shared:
        """What many calls get as their first argument: it goes to a worker once."""
        ...

    def submit(
        self,
        name: str,
        function: Callable[..., Any],
        *arguments: Any,
        shared: Shared | None = None,
        done: Done | None = None,
    ) -> Pending:
        """Call the function some time. done: is told of the result, in this thread, when it arrives."""
        ...


class Ready:
    """A call that has been made."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def result(self) -> Any:
        return self.value


class Here:
    """Every call at once, in this process."""

    def share(self, value: Any) -> Shared:
        return Shared(value)

    def submit(
        self,
        name: str,
        function: Callable[..., Any],
        *arguments: Any,
        shared: Shared | None = None,
        done: Done | None = None,
    ) -> Pending:
        value = function(*([shared.held] if shared else []), *arguments)
        if done is not None:
            done(value)
        return Ready(value)


class Cluster:
    """Calls as tasks of a Dask scheduler.

    Results are taken in the order in which they arrive, whichever is waited for. A call whose worker dies goes to
    another one; one that fails for good ends the run, but only after all others have arrived.
    """

    def __init__(self, client: Client, where: str) -> None:
        from distributed import as_completed

        self._client, self._where = client, where
        self._arrivals = as_completed(loop=client.loop)
        self._open: dict[str, _Slot] = {}
        self._number = 0

    def share(self, value: Any) -> Shared:
        # A task and not scattered data, which would be lost with the worker that holds it.
        future = self._call("shared", _same, (value,), ())
        if self._client.scheduler_info(n_workers=-1)["workers"]:
            # The scheduler prefers workers that hold what a task needs: all should. Others get it when they need it.
            with suppress(KeyError, OSError):
                self._client.replicate([future])
        return Shared(future)

    def submit(
        self,
        name: str,
        function: Callable[..., Any],
        *arguments: Any,
        shared: Shared | None = None,
        done: Done | None = None,
    ) -> Pending:
        future = self._call(name, function, arguments, [shared.held] if shared else [])
        key = str(future.key)
        slot = self._open[key] = _Slot(self, name, future, done)
        self._arrivals.add(future)
        return slot

    def _call(
        self, name: str, function: Callable[..., Any], arguments: Sequence[Any], futures: Sequence[Any]
    ) -> Future:
        self._number += 1
        key = f"{name} #{self._number} of {self._client.id}"
        packed = pickle.dumps((function, arguments))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sending large graph")
            return self._client.submit(_unpacking(), packed, *futures, key=key, retries=RETRIES, pure=False)

    def advance(self) -> None:
        """Take the next result that arrives."""
        slot = self._open.pop(str(next(self._arrivals).key))
        assert slot.future is not None
        try:
            slot.value = slot.future.result()
        except Exception as fault:  # noqa: BLE001 - whatever a worker raised is told when this result is asked for
            slot.fault = fault
        # Let go of here, a result is let go of by its worker.
        slot.future = None
        if slot.fault is None and slot.done is not None:
            slot.done(slot.value)

    def drain(self) -> None:
        """Take every result that is still to come."""
        while self._open:
            self.advance()

    def explain(self, name: str, fault: Exception) -> Exception:
        """The fault of a call as its user should read it."""
        from distributed import CancelledError, KilledWorker

        if isinstance(fault, QscError):
            return type(fault)([_with_note(d, f"in {name}, on {self._where}") for d in fault.diagnostics])
        if isinstance(fault, KilledWorker):
            message = f"{name}: every worker that ran it died ({fault.allowed_failures + 1} of them)"
            return MissingError.of("E0004", message, help=_HELP_KILLED)
        if isinstance(fault, CancelledError):
            return MissingError.of("E0004", f"{name}: the connection to {self._where} was lost", help=_HELP_LOST)
        return InternalError(f"{name} failed {RETRIES + 1} times on {self._where}: {type(fault).__name__}: {fault}")


_HELP_KILLED = "mostly it is memory: fewer or larger workers; with the same --journal finished work is not repeated"
_HELP_LOST = "run the same again; with the same --journal finished work is not repeated"


class _Slot:
    """One submitted call and, once it has arrived, what came."""

    def __init__(self, cluster: Cluster, name: str, future: Future, done: Done | None) -> None:
        self._cluster, self._name, self.done = cluster, name, done
        self.future: Future | None = future
        self.value: Any = None
        self.fault: Exception | None = None

    def result(self) -> Any:
        while self.future is not None:
            self._cluster.advance()
        if self.fault is not None:
            self._cluster.drain()
            raise self._cluster.explain(self._name, self.fault) from self.fault
        return self.value


def _same(value: Any) -> Any:
    return value


def _unpacking() -> Callable[..., Any]:
    """A function that is sent as its code, and unpacks what it calls: on a worker without qsc the call fails, where an
    object that it cannot read would make it stop listening to the scheduler (distributed 2026.8)."""

    def call(packed: bytes, *shared: Any) -> Any:
        import pickle

        function, arguments = pickle.loads(packed)
        return function(*shared, *arguments)

    return call


def _with_note(diagnostic: Diagnostic, note: str) -> Diagnostic:
    return replace(diagnostic, notes=(*diagnostic.notes, note))


# Opening


@contextmanager
def opened(workers: int | None = None, scheduler: Any = None) -> Iterator[Engine]:
    """The engine that a user asked for.

    workers: so many processes of this machine. scheduler: the address of a Dask scheduler, its scheduler file, a
    `distributed.Client`, or an engine that is open. Neither: this process.
    Raises InputError O0002 for both or a wrong number, MissingError where no scheduler answers, or where its workers
    have other versions of what computes.
    """
    if workers is not None and scheduler is not None:
        raise InputError.of("O0002", "workers and scheduler exclude each other", help="a scheduler has its own workers")
    if workers is not None and not (isinstance(workers, int) and not isinstance(workers, bool) and workers > 0):
        raise InputError.of("O0002", f"workers is {workers!r}", help="it takes a whole number of at least 1")
    if workers is None and (scheduler is None or isinstance(scheduler, Here | Cluster)):
        yield scheduler or Here()
        return
    need("distributed", "cluster")
    # What it has to say is said by the errors here.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with _local(workers) if workers is not None else _remote(scheduler) as (client, where):
        yield Cluster(client, where)


@contextmanager
def _local(workers: int) -> Iterator[tuple[Client, str]]:
    from distributed import Client, LocalCluster, Security

    # Other users of the machine reach its ports too: without keys they could run code here.
    security = Security.temporary()
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        sys.exit("a worker imports the script that starts it")
    try:
        cluster = LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",
            security=security,
            silence_logs=logging.CRITICAL,
        )
    except (OSError, RuntimeError, TimeoutError) as fault:
        help = 'a script starts workers below a line `if __name__ == "__main__":`, since each of them imports it'
        raise MissingError.of("E0004", f"workers of this machine do not start: {fault}", help=help) from None
    with cluster, Client(cluster, security=security) as client:
        yield client, "workers of this machine"


@contextmanager
def _remote(scheduler: Any) -> Iterator[tuple[Client, str]]:
    from distributed import Client

    if isinstance(scheduler, Client):
        _check_versions(scheduler, "the cluster")
        yield scheduler, "the cluster"
        return
    where = str(scheduler)
    if where.endswith(".json") and not Path(where).is_file():
        raise MissingError.of(
            "E0004", f"there is no scheduler file {where}", help="the scheduler writes it as it starts"
        )
    try:
        given: dict[str, Any] = {"scheduler_file": where} if where.endswith(".json") else {"address": where}
        client = Client(**given, timeout=CONNECT_SECONDS)
    except (OSError, TimeoutError, ValueError) as fault:
        help = 'start one with "dask scheduler"; its address is like tcp://10.0.0.1:8786'
        raise MissingError.of("E0004", f"no scheduler answers at {where}: {fault}", help=help) from None
    with client:
        _check_versions(client, where)
        yield client, where


def _check_versions(client: Client, where: str) -> None:
    """MissingError where a worker has no qsc, or another version of something that computes."""
    here = _versions()
    try:
        answers: Any = client.run(_versions)
    except ModuleNotFoundError as fault:
        help = "install the same qsc, with the same extras, on every worker"
        raise MissingError.of("E0005", f"the workers of {where} lack {fault.name}", help=help) from None
    for worker, there in answers.items():
        for tool in here:
            if there.get(tool) != here[tool]:
                raise MissingError.of(
                    "E0005",
                    f"worker {worker} has {tool} {there.get(tool, 'not at all')}, here it is {here[tool]}",
                    help="the same numbers need the same versions: use one environment for all",
                )


def _versions() -> dict[str, str]:
    return {"qsc": __version__, **tool_versions()}
