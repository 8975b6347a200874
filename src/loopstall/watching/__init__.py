"""``loopstall watch``: a program and the processes that it starts, watched and told of."""
