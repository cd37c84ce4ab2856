"""The doors: every way into ossicle from outside Python. No recognition logic lives here."""
