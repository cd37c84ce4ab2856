"""`python -m ossicle` is the command line."""

from ossicle.surfaces.cli.main import run

if __name__ == "__main__":
    run()
