"""The results package."""
