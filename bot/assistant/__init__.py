"""The chat core that every platform shares: a message in, a reply out."""
