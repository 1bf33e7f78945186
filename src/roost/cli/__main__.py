"""`python -m roost.cli`."""

from roost.cli.app import main

if __name__ == "__main__":
    main()
