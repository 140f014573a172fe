"""Patches on disk and in streams: shards, Dask tasks, cards."""
