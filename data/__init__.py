"""Pictures and datasets: safe decoding, readers, derived questions, cached features."""
