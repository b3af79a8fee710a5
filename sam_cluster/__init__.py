"""Energy accounting for shared GPU clusters under Slurm."""

__version__ = "0.1.0"
