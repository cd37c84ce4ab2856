"""Logits to token ids: ways of choosing the next token and of knowing when to stop; knows nothing of text."""
