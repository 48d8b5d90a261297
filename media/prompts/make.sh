#!/bin/sh
# Makes the built-in prompts, zh/NAME.wav, from prompts.tsv: name, Chinese text, and what espeak-ng reads:
# pinyin with tone digits, since its voice for characters speaks the tones as English numbers; a lone
# letter is read by its name. The music is synthesised here and is nobody else's.
# Run it after a change of the table; what it makes is committed. Needs espeak-ng and sox.
set -eu
cd "$(dirname "$0")"
for tool in espeak-ng sox; do
	command -v "$tool" >/dev/null || { echo "make.sh: $tool is missing" >&2; exit 1; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p zh

# alaw IN OUT EFFECTS...: G.711 A-law at 8 kHz, mono. No dither, so that the same text makes the same file.
alaw() {
	in=$1 out=$2
	shift 2
	sox -D "$in" -r 8000 -c 1 -e a-law "$out" "$@"
}

tab=$(printf '\t')
# 195 words a minute: as brisk as a person who says it all day, and a menu is not waited for.
while IFS=$tab read -r name _ pinyin; do
	espeak-ng -v cmn-latn-pinyin -s 195 -a 60 -w "$work/p.wav" "$pinyin"
	# Characters of a number are heard one by one; everything else follows at once.
	case $name in digit-* | letter-*) gap=0.12 ;; *) gap=0 ;; esac
	# The band of a telephone, no silence at either end, peaks at -6 dB.
	alaw "$work/p.wav" "zh/$name.wav" highpass 200 lowpass 3400 \
		silence 1 0.01 0.2% fade t 0.005 \
		reverse silence 1 0.01 0.2% fade t 0.02 reverse norm -6 pad 0 $gap
done <prompts.tsv

# Music on hold: four bars of plucked pentatonic arpeggios, 9.6 s, its last notes fading into its first.
set -- C4 E4 G4 C5 E5 G4 C5 E4  A3 C4 E4 A4 C5 E4 A4 C4  F3 A3 C4 F4 A4 C5 F4 A3  G3 D4 G4 D5 G4 D4 G3
at=0 n=0 notes=""
for note in "$@"; do
	n=$((n + 1))
	sox -D -n -r 16000 -c 1 "$work/n$n.wav" synth 2 pluck "$note" fade t 0.005 2 1.2 pad "$at"
	at=$(awk "BEGIN{print $at + 0.3}")
	notes="$notes $work/n$n.wav"
done
# shellcheck disable=SC2086 # a list of names without blanks
sox -D -m $notes "$work/music.wav" trim 0 9.6 lowpass 3000 reverb 20
alaw "$work/music.wav" zh/hold-music.wav fade t 0.01 9.6 0.4 norm -12
