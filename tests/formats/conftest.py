"""What tests of the HTML page share."""

from tests.formats.pages import browser, reader

__all__ = ["browser", "reader"]
