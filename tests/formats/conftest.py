"""What tests of the HTML page share."""

from tests.formats.pages import browser, page, reader

__all__ = ["browser", "page", "reader"]
