"""What the assistant says, in each language."""
