.PHONY: venv
venv:
	@scripts/venv
