"""How plain functions are spread over threads, a Dask cluster, or Slurm jobs: one library a module."""
