"""What can go wrong with a training run beside its recipe and its data."""


class TrainingError(RuntimeError):
    """Training that cannot go on; `str(error)` is one plain sentence."""
