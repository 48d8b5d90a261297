#!/usr/bin/env bash
# The long evidence, in parts: fuzz (every target for a minute), race (all unit tests five times with the
# race detector), desk (a million random events at the desk, against its model), calls (whole calls with real phones
# three times), matrix (every kind of message lost, late or out of order, with the timers of RFC 3261), alarm (every
# schedule of a small world), claims (every schedule of two nodes that share agents, with faults), bench (how soon the desk rings, what signalling costs), media (what audio costs), wire (how soon a key rings an
# agent's phone, by the wire's own clock), model (the desk's code against the formulas of
# Erlang), mediasoak (calls of every kind on both media engines for half an hour), soak (calls for ten minutes),
# chaos (three nodes, 30 phones and 20 calls a second for ten minutes while nodes, Redis and PostgreSQL are killed,
# stopped and cut off), sitebench (how soon desks that share a Redis ring a phone), overload (what is completed at up to three times the load that can
# be carried), flood (20 calls beside everything that
# strangers may do to a port on the internet).
# Each part writes docs/proof/DATE-PART.md: what was run, on what kind of machine, and what came out.
#
#   PROOF=soak,fuzz   some parts only
#   FUZZTIME, SOAKTIME   how long, 1m and 10m if not set
set -euo pipefail
cd "$(dirname "$0")/.."
export GOFLAGS=-buildvcs=false
parts=${PROOF:-fuzz,race,desk,calls,matrix,alarm,claims,bench,media,wire,model,mediasoak,soak,chaos,sitebench,overload,flood}
fuzztime=${FUZZTIME:-1m}
soaktime=${SOAKTIME:-10m}
folder=docs/proof
mkdir -p "$folder"

# Paths of this machine do not belong in what is kept.
clean() { sed -e "s#$PWD#.#g" -e "s#${TMPDIR:-/tmp}/[^ ]*#(temporary)#g"; }

revision() {
	local at
	at=$(git -c safe.directory="$PWD" rev-parse --short HEAD 2>/dev/null) || at=unknown
	[ -z "$(git -c safe.directory="$PWD" status --porcelain -- . ":!$folder" 2>/dev/null)" ] || at="$at, with changes"
	echo "$at"
}

# machine says of what kind this machine is.
machine() {
	local memory load
	memory=$(awk '/^MemTotal/ {printf "%.0f GiB of memory", $2 / 1048576}' /proc/meminfo 2>/dev/null) || memory="memory unknown"
	load=$(cut -d' ' -f1 /proc/loadavg 2>/dev/null) || load=unknown
	echo "$(go env GOVERSION) $(go env GOOS)/$(go env GOARCH); $(nproc) cores; $memory; kernel $(uname -r); load at the beginning $load"
}

# heading PART WHAT: how the part's file begins.
heading() { printf '# %s, %s\n\n%s\n\nCommit %s. %s.\n\n' "$1" "$(date +%F)" "$2" "$(revision)" "$(machine)"; }

# bench keeps the tables that the commands print.
bench() {
	go build -o bin/hotline ./cmd/hotline
	{ echo '```' && bin/hotline bench acd && echo && bin/hotline bench sip && echo '```'; } | tee "$figures"
}

# shared keeps the table that the command prints; what was wanted and not kept fails the part.
shared() {
	go build -o bin/hotline ./cmd/hotline
	judged bin/hotline bench acd --state redis
}

# judged COMMAND...: keeps the table that the command prints, and fails as it does.
judged() {
	local code=0
	"$@" >"$figures.table" || code=$?
	{ echo '```' && cat "$figures.table" && echo '```'; } | tee "$figures"
	rm -f "$figures.table"
	return "$code"
}

# overloaded keeps the table that the command prints, and its drawing; what was wanted and not kept fails the part.
overloaded() {
	local drawing code=0
	drawing="$(date +%F)-overload.svg"
	go build -o bin/hotline ./cmd/hotline
	judged bin/hotline bench overload --rounds 3 --svg "$folder/$drawing" || code=$?
	{ echo && echo "![]($drawing)"; } | tee -a "$figures"
	return "$code"
}

# audio keeps the table that the command prints.
audio() {
	go build -o bin/hotline ./cmd/hotline
	{ echo '```' && bin/hotline bench media && echo '```'; } | tee "$figures"
}

# erlang keeps the table that the command prints; a figure that is not what the formula says fails the part.
erlang() {
	go build -o bin/hotline ./cmd/hotline
	judged bin/hotline model
}

# part NAME WHAT COMMAND...: runs a command, keeps what it printed and whether it went well.
part() {
	local name=$1 what=$2 file verdict=passed begun=$SECONDS log
	shift 2
	file="$folder/$(date +%F)-$name.md"
	log=$(mktemp)
	echo "==== $name"
	heading "$name" "$what" >"$file"
	"$@" 2>&1 | tee "$log" || verdict=FAILED
	{
		echo "**$verdict** after $((SECONDS - begun)) s: \`$(printf '%s ' "$@" | clean | sed 's/ $//')\`"
		echo
		[ ! -s "$figures" ] || { cat "$figures" && echo; }
		echo '```'
		grep -E '^(ok|FAIL|panic|== |--- |fuzz: elapsed: .*total)|failed' "$log" | clean | last_of_each || true
		echo '```'
	} >>"$file"
	rm -f "$log"
	[ "$verdict" = passed ] || failures+=("$name")
}

# last_of_each keeps the last of the progress lines of each fuzz target.
last_of_each() {
	awk '/^fuzz: / { line = $0; next } { if (line != "") print line; line = ""; print } END { if (line != "") print line }'
}

failures=()
figures=$(mktemp)
trap 'rm -f "$figures"' EXIT
export HOTLINE_PROOF=$figures HOTLINE_PEERS=required HOTLINE_SOAK=$soaktime
for name in ${parts//,/ }; do
	: >"$figures"
	case $name in
	fuzz) part fuzz "Every fuzz target for $fuzztime." scripts/fuzz.sh "$fuzztime" ;;
	desk) part desk "A million random events of every kind at one desk, and a million at a desk with limits alone, held against the model after each." \
		go test ./acd -run '(Everything|Limits)AgainstModel' -count=1 -v -timeout 2h -rapid.checks=10000 ;;
	race)
		mapfile -t units < <(go list ./... | grep -vE '/test(/|$)')
		part race "All unit tests five times, with the race detector and goleak." \
			go test -race -count=5 -timeout 40m "${units[@]}"
		;;
	calls) part calls "Whole calls with real phones, three times." go test -race -count=3 -timeout 60m ./test ;;
	matrix)
		part matrix "The loss matrix in full: phones that share no code with the hotline, behind relays that lose, double, delay (0 to 2·T1) or swap messages; T1 = 500 ms." \
			go test -race -tags proof -run '^TestLossMatrixInFull$' -count=1 -timeout 30m ./test/matrix
		;;
	alarm)
		part alarm "Every schedule of a small world, of more acts and seconds than make test tries: the bound on an alarm's first ring (ADR 10)." \
			go test -tags proof -run '^TestAlarmBoundInFull$' -count=1 -timeout 30m -v ./acd
		;;
	claims)
		part claims "Every schedule of two nodes, two callers, and one or two agents whose phones move, with the real book and the real gate, and one or two faults (docs/cluster.md): more of each than make test tries." \
			go test -tags proof -run '^TestClaimsInFull$' -count=1 -timeout 40m ./test/claims
		;;
	bench)
		part bench "How soon the desk rings a phone, by agents and callers waiting; and what signalling costs: calls a second, set-up times and CPU per call, next to a bare sipgo server." bench
		;;
	media)
		part media "What audio costs: CPU per call-second and memory of the serving process, packets lost or of another call, and added latency, at 25 to 800 calls, next to a plain relay that records too." audio
		;;
	wire)
		part wire "How soon a caller's key leads to an INVITE to an agent who is idle, from a capture alone: 200 callers by telephone-events (RFC 4733), 200 by SIP INFO; half of them must take less than 2 ms." \
			go test -tags proof -run '^TestKeyToInviteInFull$' -count=1 -timeout 15m -v ./test
		;;
	model)
		part model "The desk's own code in simulated time against Erlang C and A: loads 0.5 to 0.95, 10 and 50 agents." erlang
		;;
	mediasoak)
		part mediasoak "Calls of every kind on both media engines, side by side, for 30 minutes, with the race detector." \
			go test -race -tags proof -run '^TestSoak$' -count=1 -timeout 60m ./media
		;;
	soak)
		part soak "Calls at 30 a minute for $soaktime to one hotline process (built without the race detector), by simulated people." \
			go test -tags proof -run '^TestSoak$' -count=1 -timeout 2h -v ./sim
		;;
	chaos)
		part chaos "Three nodes on one Redis and one PostgreSQL, 30 agents' phones, 20 calls/s, and faults one after another for ten minutes; judged from the phones' and callers' own notes and the database." \
			go test -race -tags proof -run '^TestChaosInFull$' -count=1 -timeout 40m -v ./test/chaos
		;;
	sitebench)
		part sitebench "How soon desks that share their agents and callers by one Redis ring a phone: 1, 2 and 4 nodes, 1000 agents, 10000 waiting; and what that costs Redis and the nodes." shared
		;;
	overload)
		part overload "Loads from half of what the hotline can carry to three times that, with alarms among them: what is completed and refused, how long set-ups and alarms take." overloaded
		;;
	flood)
		part flood "20 calls with an agent each, and a trunk's calls at 5 a second, while strangers attack for 30 s at a time: no gap in what is heard over 60 ms, no call that is not set up or takes longer than T1 (500 ms) for it, and memory, descriptors and goroutines as before." \
			go test -tags proof -run '^TestFloodInFull$' -count=1 -timeout 60m -v ./test/flood
		;;
	*)
		echo "no part $name; there are fuzz, race, desk, calls, matrix, alarm, claims, bench, media, wire, model, mediasoak, soak, chaos, sitebench, overload, flood" >&2
		exit 2
		;;
	esac
done
if [ "${#failures[@]}" -gt 0 ]; then
	echo "failed: ${failures[*]}" >&2
	exit 1
fi
