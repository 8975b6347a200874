"""Workloads: what can be measured, by the decorator that defines it and the loader that finds it by path."""

from loopstall.workloads.definition import Workload, workload
from loopstall.workloads.loader import discover, find, load_file, resolve

__all__ = ["Workload", "discover", "find", "load_file", "resolve", "workload"]
