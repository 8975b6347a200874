"""``loopstall watch``: a program and the processes that it starts, watched."""
