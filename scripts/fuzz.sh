#!/usr/bin/env bash
# Runs every fuzz target of the tree, each for the time given (30s by default), one after the other.
# What it finds, go keeps in the package's testdata/fuzz, where `go test` runs it from then on.
set -euo pipefail
cd "$(dirname "$0")/.."
export GOFLAGS=-buildvcs=false
duration=${1:-30s}

targets=0 failed=()
for package in $(go list ./...); do
	list=$(go test -list '^Fuzz' "$package")
	for target in $(grep '^Fuzz' <<<"$list" || true); do
		targets=$((targets + 1))
		echo "== $package $target ($duration)"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$duration" "$package" || failed+=("$package $target")
	done
done
echo "== $targets targets, ${#failed[@]} failed"
if [ "$targets" -eq 0 ]; then
	echo "no fuzz target found" >&2
	exit 1
fi
for f in "${failed[@]}"; do
	echo "failed: $f" >&2
done
[ "${#failed[@]}" -eq 0 ]
