"""The executable `tap-example`."""

from functools import partial

from singerkit import shell

main = partial(shell.main, "tap_example.tap:TapExample")

if __name__ == "__main__":
    main()
