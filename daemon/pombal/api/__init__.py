"""HTTP: metrics and health, on FastAPI and hypercorn's trio worker."""
