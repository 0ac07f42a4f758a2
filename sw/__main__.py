"""`python -m rbonn.sw` is the program `rbonn`."""

from .cli import main

main()
