"""``python -m loopstall`` is the ``loopstall`` command."""

from loopstall.cli import main

if __name__ == "__main__":
    main()
