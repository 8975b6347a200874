"""The Celery application that a worker runs: ``celery --app loopstall.dispatch.celery_app worker``."""

import os
from typing import Any

from celery import Celery
from kombu.serialization import enable_insecure_serializers

from loopstall.dispatch.worker import invoke, prime

__all__ = ["BACKEND", "BROKER", "FOLDER", "app", "do", "first", "make"]

BROKER, BACKEND, FOLDER = "LOOPSTALL_CELERY_BROKER", "LOOPSTALL_CELERY_BACKEND", "LOOPSTALL_CELERY_FOLDER"
"""Names of environment variables: the addresses, and where a broker without a server keeps its messages."""

_POLL_S = 0.005  # of a broker without a server
_HOLD_S = 0.05


def make(broker: str, backend: str, folder: str) -> Any:
    """Returns an application for a broker.

    Args:
        broker: its address.
        backend: the address of the results.
        folder: of messages, where the broker is the file system.
    """
    made = Celery("loopstall", broker=broker, backend=backend)
    enable_insecure_serializers(["pickle"])  # jobs carry built-in types of every kind, and both ends are ours
    made.conf.update(
        task_serializer="pickle",
        result_serializer="pickle",
        accept_content=["pickle"],
        worker_prefetch_multiplier=1,
        broker_connection_retry_on_startup=False,
        worker_hijack_root_logger=False,
        result_expires=None,
    )
    if folder:
        made.conf.broker_transport_options = {
            "data_folder_in": folder,
            "data_folder_out": folder,
            "control_folder": f"{folder}/control",
            "polling_interval": _POLL_S,
        }
    return made


app = make(os.environ.get(BROKER, "memory://"), os.environ.get(BACKEND, "cache+memory://"), os.environ.get(FOLDER, ""))


@app.task(name="loopstall.do")  # type: ignore[untyped-decorator,unused-ignore]
def do(path: str, name: str, seed: int, kwargs: dict[str, Any]) -> Any:
    """Does one job of a workload."""
    return invoke(path, name, seed, kwargs)


@app.task(name="loopstall.first")  # type: ignore[untyped-decorator,unused-ignore]
def first(path: str, name: str, seeds: tuple[int, ...], kwargs: dict[str, Any]) -> int:
    """Does the first jobs of a process, and takes long enough that every process of the worker gets to do it."""
    return prime(path, name, seeds, kwargs, _HOLD_S)
