"""The command line; stdout is the result, stderr is the story."""
