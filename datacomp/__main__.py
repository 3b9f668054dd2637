"""`python -m datacomp` is the `datacomp` command."""

from datacomp.cli.main import main

if __name__ == "__main__":
    main()
