"""Stalls in other tools: log records, spans of OpenTelemetry, a dashboard for Grafana, cells of Jupyter."""
