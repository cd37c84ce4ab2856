"""Folders of recordings: what is done is written down, is never done twice, and can be searched."""
