"""Experiments behind the shipped models: ablations, sanity checks, the starter's figures.

They are run from a checkout and are not part of the wheel.
"""
