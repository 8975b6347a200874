"""The outside sampler: a helper process that looks at a loop's thread while it is late, and nothing in the program.

``helper`` is what runs in that process, ``link`` and ``observer`` what the program has of it, ``slot`` the memory that
both share. The helper reads; it writes nothing into the program, and sends it no signal.
"""
