"""Untrusted image bytes → RGB pixels: judged by content, decoded in a sandboxed process."""
