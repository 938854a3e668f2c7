"""Measurements of the whole bot, from outside: fake platforms, people on them, and a judge."""
