"""A cluster without GPUs: a clock that is moved by hand, and GPUs whose joules are known exactly.

What meters it is the real agent; every figure that comes of it is marked as simulated.
"""
