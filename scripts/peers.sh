#!/usr/bin/env bash
# Makes sure the real peers of the tests are there: installs the Debian packages that are missing where
# it may (root, or sudo without a password), and says what is missing where it may not.
set -euo pipefail

# program:package
peers=(baresip:baresip linphonec:linphone-cli sipp:sip-tester tshark:tshark sox:sox ss:iproute2 gcc:gcc)

missing=() packages=()
for p in "${peers[@]}"; do
	if ! command -v "${p%%:*}" >/dev/null 2>&1; then
		missing+=("${p%%:*}")
		packages+=("${p##*:}")
	fi
done
[ "${#missing[@]}" -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
	if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
		as_root=(sudo -n)
	else
		as_root=(false)
	fi
fi
if [ "${as_root[0]:-}" = false ] || ! command -v apt-get >/dev/null 2>&1; then
	echo "The tests need these programs, which are missing: ${missing[*]}" >&2
	echo "Install them (Debian packages: ${packages[*]}) and run again." >&2
	exit 1
fi
echo "installing ${packages[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
