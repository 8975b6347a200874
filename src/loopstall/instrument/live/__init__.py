"""Live views of ``loopstall watch``: a screen on the terminal, and a page for a browser."""
