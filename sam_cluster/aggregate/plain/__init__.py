"""What leaves nothing to choose, all at once, in columns: shards, GPUs, runs and jobs, as most of them are.

The modules above say what a row is, and make the rows of all else; a test of each shows that both agree.
"""
