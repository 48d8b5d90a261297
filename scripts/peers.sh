#!/usr/bin/env bash
# Makes sure the real peers of the tests are there: installs the Debian packages that are missing where
# it may (root, or sudo without a password), and says what is missing where it may not.
set -euo pipefail

# program:packages; a program with a slash is a pattern of files. The race detector needs a C compiler and the C library's
# headers.
peers=(
	baresip:baresip
	linphonec:linphone-cli
	sipp:sip-tester
	kamailio:kamailio
	'/usr/lib*/*/kamailio/modules/tls.so:kamailio-tls-modules'
	tshark:tshark
	dumpcap:wireshark-common
	chromium:chromium
	sox:sox
	ss:iproute2
	redis-server:redis-server
	postgres:postgresql
	gcc:gcc,libc6-dev
	promtool:prometheus
	amtool:prometheus-alertmanager
	systemd-analyze:systemd
	nft:nftables
	strace:strace
	npm:npm
	openssl:openssl
	svmap:sipvicious
)

# Debian does not put PostgreSQL's programs on the PATH, nor nft on that of a user.
for bin in /usr/lib/postgresql/*/bin /usr/sbin; do PATH=$PATH:$bin; done

there() {
	case $1 in
	*/*) compgen -G "$1" >/dev/null ;;
	*) command -v "$1" >/dev/null 2>&1 ;;
	esac
}

missing=() packages=()
look() {
	missing=() packages=()
	local p
	for p in "${peers[@]}"; do
		if ! there "${p%%:*}"; then
			missing+=("${p%%:*}")
			# shellcheck disable=SC2206 # packages are separated by commas
			packages+=(${p##*:})
		fi
	done
	packages=("${packages[@]//,/ }")
}

# complain tells a person what to do, and ends.
complain() {
	echo "The tests need these programs, which are missing: ${missing[*]}" >&2
	echo "$1 Install them (Debian packages: ${packages[*]}) and run again." >&2
	exit 1
}

look
[ "${#missing[@]}" -eq 0 ] && exit 0
command -v apt-get >/dev/null 2>&1 || complain "There is no apt-get here."
as_root=()
if [ "$(id -u)" -ne 0 ]; then
	sudo -n true 2>/dev/null || complain "This is not root, and sudo wants a password."
	as_root=(sudo -n)
fi
echo "installing ${packages[*]}"
"${as_root[@]}" apt-get update -qq
# shellcheck disable=SC2068 # an entry may be several packages
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
	apt-get install -y -qq --no-install-recommends ${packages[@]} >/dev/null
# Debian starts servers with their packages; the tests start their own, on their own ports.
stop() { # program service
	case " ${missing[*]} " in *" $1 "*)
		"${as_root[@]}" systemctl disable --now "$2" >/dev/null 2>&1 ||
			"${as_root[@]}" service "$2" stop >/dev/null 2>&1 || true ;;
	esac
}
stop kamailio kamailio
stop redis-server redis-server
stop postgres postgresql
stop promtool prometheus
stop amtool prometheus-alertmanager
for bin in /usr/lib/postgresql/*/bin; do PATH=$PATH:$bin; done
look
[ "${#missing[@]}" -eq 0 ] || complain "They were installed, and are not on the PATH."
