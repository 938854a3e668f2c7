"""Evaluation of a profile on a dataset: figures with intervals and controls, and a report."""
