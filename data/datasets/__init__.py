"""Datasets on disk or on the hub, made into the JSON lines, pictures and features of training."""
