package prompts

import (
	_ "embed" // the table
	"strings"
)

//go:embed prompts.tsv
var table string

// Texts are the words of the prompts that are built in, by name: what a person reads who does not listen.
func Texts() map[string]string {
	texts := make(map[string]string)
	for line := range strings.Lines(table) {
		if name, rest, ok := strings.Cut(line, "\t"); ok {
			text, _, _ := strings.Cut(rest, "\t")
			texts[name] = strings.TrimSpace(text)
		}
	}
	return texts
}
