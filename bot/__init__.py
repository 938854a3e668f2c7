"""Platforms, the assistant and the command line: everything that talks to people."""
