# Sourced by demo.sh and test.sh, from the top of the checkout: packages, then the venv.
# shellcheck shell=sh disable=SC2034

BUILD_PACKAGES="python3 python3-venv python3-dev gcc libc6-dev swig libpcsclite-dev libusb-1.0-0 ca-certificates"
TEST_PACKAGES="pcscd libqrencode4 opensc dcmtk orthanc tmux util-linux"
SYSLOG_PACKAGES="rsyslog rsyslog-gnutls rsyslog-openssl rsyslog-relp libestr0 libfastjson4 liblognorm5 librelp0
    syslog-ng-core libivykis0 libnet1 libpcre3 libwrap0 libjson-c5 libglib2.0-0 libcap2"

# need_packages NAME...: installs what is missing, or prints the command that would.
need_packages() {
    missing=""
    for package in "$@"; do
        dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    echo "Missing Debian packages:$missing"
    sudo=""
    if [ "$(id -u)" -ne 0 ]; then
        if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
            sudo="sudo"
        elif command -v sudo >/dev/null 2>&1 && [ -t 0 ]; then
            sudo="sudo"
        else
            echo "Install them as root, then start this again:"
            echo "  apt-get update && apt-get install -y --no-install-recommends$missing"
            return 1
        fi
    fi
    echo "Installing them."
    # shellcheck disable=SC2086 # one word a package
    $sudo apt-get update -q && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
}

# need_venv EXTRAS: a venv at .venv with this checkout in it, made again when pyproject.toml or the checkout's place changed.
need_venv() {
    extras=$1
    stamp=$({ pwd; echo "$extras"; cat pyproject.toml; } | sha256sum | cut -d' ' -f1)
    [ -f .venv/stamp ] && grep -qx "$stamp" .venv/stamp && [ -x .venv/bin/kiosk ] && return 0
    # What a development install holds, a demo install need not fetch again.
    if [ -z "$extras" ] && [ -f .venv/stamp ] && [ -x .venv/bin/kiosk ]; then
        with_dev=$({ pwd; echo "[dev]"; cat pyproject.toml; } | sha256sum | cut -d' ' -f1)
        grep -qx "$with_dev" .venv/stamp && return 0
    fi
    echo "Setting up .venv (a few minutes the first time)."
    if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
        rm -rf .venv
        "${PYTHON:-python3}" -m venv .venv || return 1
    fi
    .venv/bin/python -m pip install -q --disable-pip-version-check --use-pep517 -e ".$extras" || return 1
    echo "$stamp" > .venv/stamp
}

# need_unpacked FOLDER WORDS PACKAGE...: the files of packages inside the venv, without the services and settings that an
# installed package brings. Comes after need_venv.
need_unpacked() {
    folder=.venv/$1 words=$2
    shift 2
    [ "$(cat "$folder/unpacked" 2>/dev/null)" != "$*" ] || return 0
    echo "Fetching $words."
    rm -rf "$folder" && mkdir -p "$folder" && chmod a+rX .venv "$folder" || return 1
    [ "$(id -u)" -ne 0 ] || apt-cache show "$1" >/dev/null 2>&1 || apt-get update -q
    if ! (cd "$folder" && apt-get download -q "$@" && for package in *.deb; do dpkg-deb -x "$package" . || exit 1; done); then
        echo "These Debian packages cannot be fetched: $*"
        echo "As root: apt-get update. Then start this again."
        return 1
    fi
    echo "$*" > "$folder/unpacked"
}

# vsmartcard's driver, installed, would sit in the machine's own pcscd and listen on every address for whoever wants to lay
# a card on; from here only the tests' private pcscd loads it.
need_vpcd() {
    need_unpacked vpcd "the driver of the virtual card reader" vsmartcard-vpcd
}

# The syslog servers that the tests start: installed they would serve the machine, and they refuse to be installed together.
need_syslog() {
    # shellcheck disable=SC2086 # one word a package
    need_unpacked syslog "the syslog servers" $SYSLOG_PACKAGES
}
