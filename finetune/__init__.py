"""Training and evaluation of prefix adapters."""
