"""A dashboard for Grafana over the metrics of ``loopstall.metrics``.

``python -m loopstall.integrations.grafana > dashboard.json`` writes it; ``dashboard.json`` in this package is the same.
"""
