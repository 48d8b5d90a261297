package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// written is a command line of this program that somebody may type by what is written somewhere.
type written struct {
	at    string // the file
	args  []string
	whole bool // in a block, to be copied; in a sentence what everybody sees is missing is left out
}

// In a text: blocks of code, and code in a sentence. Of a line of a shell, where this program is what is run.
var (
	codeBlock   = regexp.MustCompile("(?ms)^ *```[a-z]*\n(.*?)^ *```$")
	codeInline  = regexp.MustCompile("`([^`]+)`")
	hotlineRuns = regexp.MustCompile(`(?m)(?:^[ #$]*|[;&|('] *|exec |sudo |[A-Z]=\S+ |=/usr/local/bin/|go run \./cmd/|docker exec hotline |docker run [^\n]*? )hotline ([a-z][^;&|')>\n]*)`)
)

// writtenIn are the command lines of a text.
func writtenIn(at, text string) (all []written) {
	add := func(code string, whole bool) {
		for _, m := range hotlineRuns.FindAllStringSubmatch(code, -1) {
			line, _, _ := strings.Cut(m[1], " #")
			var args []string
			for word := range strings.FieldsSeq(line) {
				args = append(args, strings.Trim(word, `"`))
			}
			all = append(all, written{at, args, whole})
		}
	}
	if filepath.Ext(at) != ".md" {
		add(text, true)
		return all
	}
	for _, block := range codeBlock.FindAllStringSubmatch(text, -1) {
		add(block[1], true)
	}
	for _, span := range codeInline.FindAllStringSubmatch(codeBlock.ReplaceAllString(text, ""), -1) {
		add(strings.ReplaceAll(span[1], "\n", " "), false)
	}
	return all
}

// TestWrittenCommands: the commands and flags in the guides, and in the units and what else is deployed, exist, and no command of
// the program is written of nowhere.
func TestWrittenCommands(t *testing.T) {
	t.Parallel()
	root := testkit.Module(t)
	var all []written
	read := func(path string) {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		at, err := filepath.Rel(root, path)
		require.NoError(t, err)
		all = append(all, writtenIn(at, string(text))...)
	}
	for _, file := range []string{"README.md", "README.zh.md", "CONTRIBUTING.md"} {
		read(filepath.Join(root, file))
	}
	for _, folder := range []string{"docs", "deploy"} {
		require.NoError(t, filepath.WalkDir(filepath.Join(root, folder), func(path string, d fs.DirEntry, err error) error {
			switch filepath.Ext(path) {
			case ".md", ".service", ".conf", ".yaml", ".yml", ".nft":
				read(path)
			}
			return err
		}))
	}
	var c cli
	parser, err := kong.New(&c, kong.Name("hotline"), kong.Writers(io.Discard, io.Discard))
	require.NoError(t, err)
	named := map[string]bool{}
	for _, w := range all {
		named[w.args[0]] = true
		_, err := parser.Parse(w.args)
		assert.True(t, err == nil || !w.whole && unfinished(err), "%s: hotline %s: %v", w.at, strings.Join(w.args, " "), err)
	}
	for _, command := range parser.Model.Children {
		assert.True(t, named[command.Name], "%s is written of nowhere", command.Name)
	}
	require.Greater(t, len(all), 60, "the commands were not found")
}

// unfinished reports whether a command line wants only more to be a whole one.
func unfinished(err error) bool {
	var wrong *kong.ParseError
	return errors.As(err, &wrong) &&
		regexp.MustCompile(`^(missing flags:|missing positional|expected |check: name one configuration)`).MatchString(wrong.Error())
}
