# make run    install what is missing, open NovaDesk (no display: talk to it headless)
# make test   install what is missing, check and test everything
.DEFAULT_GOAL := run
.PHONY: run setup check test soak bench package lint-packages screenshots translations lock clean
PY := .venv/bin/python

run:
	@bash scripts/setup.sh run
	@bash scripts/run.sh

setup:
	@bash scripts/setup.sh run

# Under two minutes: format, lint, types, import contracts, house rules, fast tests.
check:
	@bash scripts/setup.sh run
	@bash scripts/check.sh fast

test:
	@bash scripts/setup.sh test
	@bash scripts/check.sh full

# About 45 minutes: renewals without end, and 200 kills of each process; writes docs/reliability.md.
soak:
	@bash scripts/setup.sh test
	@$(PY) scripts/soak.py

# Ids, store and sync against their limits; writes docs/reliability.md.
bench:
	@bash scripts/setup.sh test
	@$(PY) scripts/benchmarks.py

package:
	@bash scripts/setup.sh package
	@$(PY) packaging/build.py

# What cannot be run here, held to the linters of others; says which of them are to be installed.
lint-packages:
	@bash scripts/setup.sh package
	@$(PY) packaging/lint.py

# Every page in light, dark and high contrast at 100 % and 200 %, in build/pages; and the pictures of docs/images, taken
# of the real program on the private desktop.
screenshots:
	@bash scripts/setup.sh test
	@$(PY) scripts/pages.py
	@$(PY) scripts/screenshots.py

# Bring resources/i18n up to date with the code; see docs/translating.md.
translations:
	@bash scripts/setup.sh test
	@$(PY) scripts/translations.py

lock:
	@bash scripts/lock.sh

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
