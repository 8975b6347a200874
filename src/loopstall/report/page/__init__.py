"""The HTML pages of results, stalls and histories, with their templates and the vendored chart library."""
