"""The executable `tap-rest`."""

from functools import partial

from singerkit import shell

main = partial(shell.main, "tap_rest.tap:TapRest")

if __name__ == "__main__":
    main()
