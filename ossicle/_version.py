"""The version, written once; the package build and `ossicle --version` read it here."""

__version__ = "0.1.0"
