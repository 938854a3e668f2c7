"""Vision tower, mapper, language model and the engine that serves them."""
