#!/bin/sh
# sh deploy/test.sh [--long] [arguments of pytest]: sets up what is missing and runs every check and test.
# --long adds the long counts and every pairing of reader and archive.
set -eu
cd "$(dirname "$0")/.."
. deploy/prepare.sh
# shellcheck disable=SC2086 # one word a package
need_packages $BUILD_PACKAGES $TEST_PACKAGES
need_venv "[dev]"
need_vpcd
need_syslog
selection="not long"
if [ "${1:-}" = "--long" ]; then
    shift
    selection="long or not long"
fi
export PYTHONDONTWRITEBYTECODE=1
exec .venv/bin/python -m pytest -n "${KIOSK_TEST_WORKERS:-2}" -m "$selection" "$@"
