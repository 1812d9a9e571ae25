"""`python -m stagedoor` is the command `stagedoor`."""

from stagedoor.cli import main

if __name__ == "__main__":
    main()
