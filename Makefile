# Every command of the project. `make` lists them; each makes .venv first where that is missing.

STAGE ?= staging
PYTHON ?= $(shell for candidate in python3.13 python3.12 python3.11 python3 python3.14; do \
	command -v $$candidate >/dev/null && $$candidate -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null && echo $$candidate && break; done)
unexport PYTHONDONTWRITEBYTECODE  # compiled modules make every command start faster
BIN := .venv/bin
READY := .venv/ready

.DEFAULT_GOAL := help
.PHONY: help setup local smoke plan policy test lint format types bench image up preview down key client estimate docs lock

help: ## List the commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

setup: $(READY) ## Make .venv with the locked packages (the other commands do it by themselves)

$(READY): requirements.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 to 3.14 is needed and none is on PATH: install one, or name it: make setup PYTHON=/path/to/python3"; exit 1; }
	@echo "making .venv with $(PYTHON) and the locked packages…"
	@$(PYTHON) -m venv .venv || { echo "the venv module is missing: on Debian and Ubuntu, apt install python3-venv"; exit 1; }
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.txt > .venv/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.txt
	@touch $@

local: $(READY) ## Run the whole production stack on this machine, with no account: gateway, AWS, Valkey, OpenAI
	@$(BIN)/python -m sandbox $(ARGS)

smoke: $(READY) ## Bring it up, drive it with OpenAI's Python client, take it down; a verdict a check
	@$(BIN)/python -m sandbox smoke $(ARGS)

plan: $(READY) ## What STAGE would create, with no account (STAGE=staging|prod|local)
	@$(BIN)/python -m sandbox plan --stage $(STAGE) $(ARGS)

policy: $(READY) ## Whether STAGE satisfies the policy pack, with no account (STAGE=staging|prod|local)
	@$(BIN)/python -m sandbox policy --stage $(STAGE) $(ARGS)

test: $(READY) ## Run every test
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadgroup $(ARGS)

lint: $(READY) ## Check style and common mistakes
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

format: $(READY) ## Put the code into the project's style
	@$(BIN)/ruff check --fix-only --quiet . ; $(BIN)/ruff format .

types: $(READY) ## Check the types
	@$(BIN)/mypy

bench: $(READY) ## Measure the gateway against LiteLLM, Portkey and nginx, as ratios in one run (some 7 minutes)
	@$(BIN)/python -m bench $(ARGS)

image: ## Build the container's image on this machine (needs Docker)
	docker build --tag openai-gateway .

preview: $(READY) ## Show what `make up` would change in STAGE (needs the pulumi CLI and an AWS account)
	pulumi preview --stack $(STAGE) --policy-pack policies --diff

up: $(READY) ## Deploy STAGE to AWS (needs the pulumi CLI and an AWS account)
	pulumi up --stack $(STAGE) --policy-pack policies

down: $(READY) ## Take STAGE down; what holds data is protected and stays where the stage says so
	pulumi destroy --stack $(STAGE)

key: $(READY) ## Store the OpenAI key of STAGE in Secrets Manager (asks for it without an echo)
	@$(BIN)/python -m operate key --stage $(STAGE)

client: $(READY) ## Give NAME a key for the gateway of STAGE (NAME=web; ARGS=--remove takes its keys away)
	@$(BIN)/python -m operate client $(NAME) --stage $(STAGE) $(ARGS)

estimate: $(READY) ## What STAGE costs in a month, AWS and OpenAI, with no account (ARGS="--requests-per-day 50000 --set zones=3")
	@$(BIN)/python -m operate estimate --stage $(STAGE) $(ARGS)

docs: $(READY) ## Write the tables of README.md and docs/cost.md anew from what they describe
	@$(BIN)/python docs/tables.py

lock: $(READY) ## Lock the packages anew from pyproject.toml
	@$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --no-header --no-annotate --group dev -o requirements.txt
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --group app -c requirements.txt -o app/requirements.txt
