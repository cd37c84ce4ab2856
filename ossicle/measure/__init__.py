"""A model's speed, as a caller meets it: figures and reports, and one report beside another."""
