"""The advisor: measures one function and the ways to run it, and recommends one."""
