#!/bin/sh
# sh deploy/readers.sh [--nfcpy]: makes a wall machine's readers ready for the kiosk. As root; may be run again at any time.
# Sets the udev rules, keeps the kernel's NFC drivers off the readers, and lets pcscd's driver pass on light and sound.
# --nfcpy: the readers are driven by nfcpy, whose user is in the group kiosk. DESTDIR=DIR does it all under DIR.
set -eu
cd "$(dirname "$0")/.."
root=${DESTDIR:-}
if [ -z "$root" ] && [ "$(id -u)" -ne 0 ]; then
    echo "As root: sh deploy/readers.sh"
    exit 1
fi

mkdir -p "$root/etc/udev/rules.d" "$root/etc/modprobe.d"
install -m 0644 udev/94-kiosk-readers.rules "$root/etc/udev/rules.d/"
install -m 0644 udev/kiosk-nfc-modules.conf "$root/etc/modprobe.d/"
if [ "${1:-}" = "--nfcpy" ]; then
    [ -n "$root" ] || getent group kiosk >/dev/null || groupadd --system kiosk
    install -m 0644 udev/95-kiosk-nfcpy.rules "$root/etc/udev/rules.d/"
fi
echo "The rules of the readers are in place."

options="$root/etc/libccid_Info.plist"
if [ ! -f "$options" ]; then
    echo "There is no $options: without libccid no reader of pcscd has lights. apt-get install libccid, then run this again."
elif grep -A1 '<key>ifdDriverOptions</key>' "$options" | grep -q '<string>0x0000</string>'; then
    # Written beside it and renamed: a power cut leaves the old file or the new one.
    sed '/<key>ifdDriverOptions<\/key>/{n;s/0x0000/0x0001/;}' "$options" > "$options.new"
    chmod --reference="$options" "$options.new"
    mv "$options.new" "$options"
    echo "pcscd's driver passes on light and sound (ifdDriverOptions 0x0001)."
else
    echo "ifdDriverOptions in $options is not 0x0000 any more and stays as it is."
fi

[ -z "$root" ] || exit 0
if [ -d /run/udev ] && command -v udevadm >/dev/null 2>&1; then
    udevadm control --reload && udevadm trigger --subsystem-match=usb
fi
for module in pn533_usb pn533 port100 nfc; do
    ! grep -q "^$module " /proc/modules || rmmod "$module" || echo "The module $module is in use: restart the machine."
done
if [ -d /run/systemd/system ]; then
    systemctl try-restart pcscd.service || echo "pcscd did not restart: systemctl status pcscd."
fi
echo "Next: python -m readers says what it finds."
