"""The dispatches: how a job gets off the loop. Adding one is one file and one line here."""

from loopstall.dispatch import (
    anyio_thread,
    async_version,
    celery_queue,
    dask_cluster,
    inline,
    interpreters,
    processes,
    threads,
    to_thread,
)
from loopstall.dispatch.base import Call, Dispatch, DispatchError, Job

__all__ = ["DISPATCHES", "Call", "Dispatch", "DispatchError", "Job"]

DISPATCHES: dict[str, Dispatch] = {
    dispatch.name: dispatch
    for dispatch in (
        inline.DISPATCH,
        async_version.DISPATCH,
        to_thread.DISPATCH,
        threads.DISPATCH,
        processes.DISPATCH,
        anyio_thread.DISPATCH,
        interpreters.DISPATCH,
        celery_queue.DISPATCH,
        dask_cluster.DISPATCH,
    )
}
