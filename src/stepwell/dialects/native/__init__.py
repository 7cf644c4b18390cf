"""Our own API, under /api/v1: what the page, curl and everyone else speak."""
