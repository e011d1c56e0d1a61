"""The executable `tap-github`."""

from functools import partial

from singerkit import shell

main = partial(shell.main, "tap_github.tap:TapGithub")

if __name__ == "__main__":
    main()
