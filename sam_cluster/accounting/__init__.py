"""What Slurm's accounting says of jobs: one interface, from sacct, from a saved file, or from pyslurm."""
