package config

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Bounds for files that are not honest mistakes: a distance costs the product of two lengths, for each
// choice.
const (
	maxSuggestions = 100
	maxChoices     = 200
	maxWord        = 64
)

// suggest returns what somebody who wrote word may have meant, as the end of a sentence, or nothing.
func suggest[T ~string](r *reader, word string, choices []T) string {
	if r.suggested++; r.suggested > maxSuggestions || len(word) > maxWord {
		return ""
	}
	best, least := "", utf8.RuneCountInString(word)/3+2
	for _, choice := range choices[:min(len(choices), maxChoices)] {
		c := string(choice)
		if len(c) > maxWord {
			continue
		}
		d := distance([]rune(word), []rune(c))
		if len(word) >= 3 && strings.HasPrefix(c, word) {
			d = min(d, 1) // the rest was left out
		}
		if d < least {
			best, least = c, d
		}
	}
	if best == "" {
		return ""
	}
	return ` (did you mean "` + best + `"?)`
}

// distance is how many letters must be put in, taken out, replaced, or swapped with their neighbour to
// make b of a (optimal string alignment).
func distance(a, b []rune) int {
	var before []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range b {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(row[j+1]+1, next[j]+1, row[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}

// sortedKeys gives maps of the file a fixed order, so that the same file has the same problems.
func sortedKeys[K ~string, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
