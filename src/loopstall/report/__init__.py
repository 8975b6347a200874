"""Reports: pure functions from records to what people and other tools read."""
