"""Options that commands share: their types, their defaults in pyproject.toml, and the records that are made of them."""
