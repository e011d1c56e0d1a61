"""The executable `tap-postgres`."""

from functools import partial

from singerkit import shell

main = partial(shell.main, "tap_postgres.tap:TapPostgres")

if __name__ == "__main__":
    main()
