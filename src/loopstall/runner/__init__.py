"""The runner package."""
