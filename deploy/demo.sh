#!/bin/sh
# sh deploy/demo.sh [arguments of `kiosk demo`]: sets up what is missing and opens the kiosk on a simulated reader and an
# embedded archive. `sh deploy/demo.sh --check` does the whole main job without a screen.
set -eu
cd "$(dirname "$0")/.."
. deploy/prepare.sh
# shellcheck disable=SC2086 # one word a package
need_packages $BUILD_PACKAGES
need_venv ""
exec .venv/bin/kiosk demo "$@"
