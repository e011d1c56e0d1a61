# Two commands on a fresh machine: `make demo` and `make test`. Each recipe is a line that a person could type.
PYTHON ?= python3
RUN = .venv/bin/python
.DELETE_ON_ERROR:
.PHONY: demo test stress check bench docs lock install format new-tap vendor-check

demo: .venv/bin/uv  ## PostgreSQL into Delta, twice, on this machine
	@$(RUN) -m tools.setup workspace meltano
	@$(RUN) -m demo

test: .venv/bin/uv  ## the whole suite
	@$(RUN) -m tools.setup workspace meltano strangers
	@$(RUN) -m pytest -n logical

stress: .venv/bin/uv  ## thousands of runs that are killed or stopped at any point
	@$(RUN) -m tools.setup workspace
	@STRESS=$${STRESS:-3000} CDC_STRESS=$${CDC_STRESS:-180} $(RUN) -m pytest -n logical --timeout 7200 tests/faults/test_interruptions.py tests/tap_postgres/test_cdc_stress.py tests/target_delta/test_upkeep_maintain.py::test_many_small_runs

check: .venv/bin/uv  ## format, lint, types and the fast tests, in under a minute
	@$(RUN) -m tools.setup workspace
	@$(RUN) -m ruff format --check .
	@$(RUN) -m ruff check .
	@$(RUN) -m mypy
	@$(RUN) -m pytest -n logical -m "not slow" -q --hypothesis-profile=quick

format: .venv/bin/uv  ## what `make check` can mend by itself
	@$(RUN) -m tools.setup workspace
	@$(RUN) -m ruff format .
	@$(RUN) -m ruff check --fix .

docs: .venv/bin/uv  ## build/site, warnings as errors
	@$(RUN) -m tools.setup workspace
	@NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build --strict --quiet --site-dir build/site

bench: .venv/bin/uv  ## the figures, in interleaved rounds
	@$(RUN) -m tools.setup workspace meltano
	@$(RUN) -m bench.postgres_delta
	@$(RUN) -m bench.records
	@$(RUN) -m bench.upsert
	@$(RUN) -m bench.cdc
	@$(RUN) -m bench.rest
	@$(RUN) -m bench.github

install: .venv/bin/uv  ## Meltano and its plugins, ready for `.venv-meltano/bin/meltano run`
	@$(RUN) -m tools.setup workspace meltano
	@$(RUN) -m tools.meltano install

lock: .venv/bin/uv  ## all locks again; ARGS=--upgrade moves the versions
	@$(RUN) -m tools.lock $(ARGS)

new-tap: .venv/bin/uv  ## NAME=acme: a copy of tap-example that keeps the contract at once
	@$(RUN) -m tools.setup workspace
	@$(RUN) -m tools.new_tap $(NAME)

vendor-check: .venv/bin/uv  ## the rows of tap-github against what GitHub publishes; needs npm
	@$(RUN) -m tools.setup workspace
	@$(RUN) -m tools.vendor_check

.venv/bin/uv: requirements-uv.lock
	@PYTHON="$(PYTHON)" sh tools/bootstrap.sh && touch $@
