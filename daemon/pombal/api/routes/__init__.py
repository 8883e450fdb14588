"""The routes under /api/v1, one noun a file. Declared without a trailing slash, and answered with one as well."""
