"""The bridge: another program's requests as JSON lines in, what was heard as JSON lines out. docs/bridge.md is the protocol."""
