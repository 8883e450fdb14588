"""`python -m pombal` is the command `pombal`."""

from pombal.cli.main import main

if __name__ == "__main__":
    main()
