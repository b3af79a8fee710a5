"""Shards and tables on disk: paths, schemas, and the commit that says what is current."""
