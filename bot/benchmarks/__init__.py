"""Measurements of the whole bot from outside: fake platforms, and simulated users on them."""
