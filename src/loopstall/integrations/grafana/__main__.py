"""Prints the dashboard: ``python -m loopstall.integrations.grafana > dashboard.json``."""

from importlib.resources import files
import sys

__all__: list[str] = []

sys.stdout.write(files("loopstall.integrations.grafana").joinpath("dashboard.json").read_text(encoding="utf-8"))
