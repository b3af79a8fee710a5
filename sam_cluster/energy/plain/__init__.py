"""GPUs that one run at a time holds, divided in columns: what a store's month is made of, many at once.

What `split.py`, `hours.py` and `gaps.py` beside it say of one GPU is the definition. Here are the same
figures for all GPUs of which nothing is in doubt, and which these are. It needs numpy, which nodes do not
have: for the aggregating host alone.
"""
