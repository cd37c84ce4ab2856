"""Live: sound while it comes in to text that is never taken back. Start reading in session.py, then machine.py."""
