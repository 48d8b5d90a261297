package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds a configuration, in bytes. A hotline of a thousand agents needs a tenth of it.
const maxFile = 1 << 20

// Load reads and checks a file, with secrets from the process's environment, and prompts by find; nil
// leaves prompts unchecked. checks come last. Its error wraps what the file system said, or is [Problems].
func Load(path string, find PromptFinder, checks ...Checker) (*Config, error) {
	data, err := read(path)
	if err != nil {
		return nil, err
	}
	return parse(path, data, os.LookupEnv, find, checks...)
}

// read reads a file, or a byte more than is allowed of it, so that parse sees that it is too much.
func read(path string) (data []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening the configuration: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if data, err = io.ReadAll(io.LimitReader(f, maxFile+1)); err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	return data, nil
}

// Parse reads and checks a configuration: one YAML document of at most 1 MiB. The name stands in
// problems; env looks secrets up, nil means none is set. An error is [Problems], with everything that
// is wrong, unless the system gave no randomness for a token.
func Parse(name string, data []byte, env func(string) (string, bool)) (*Config, error) {
	return parse(name, data, env, nil)
}

// Draft is as Load, and returns what could be read of the file when there are problems too, or nil: only to be shown
// to a person who mends it.
func Draft(path string, find PromptFinder, checks ...Checker) (*Config, error) {
	data, err := read(path)
	if err != nil {
		return nil, err
	}
	return draft(path, data, os.LookupEnv, find, checks...)
}

func parse(name string, data []byte, env func(string) (string, bool), find PromptFinder, checks ...Checker) (*Config, error) {
	cfg, err := draft(name, data, env, find, checks...)
	if err != nil {
		return nil, err
	}
	return cfg, nil
}

func draft(name string, data []byte, env func(string) (string, bool), find PromptFinder, checks ...Checker) (*Config, error) {
	if env == nil {
		env = func(string) (string, bool) { return "", false }
	}
	r := &reader{
		file: name, env: env, find: find, cfg: defaults(), marks: map[string]mark{"": {1, 1}},
		broken: map[string]bool{}, lost: map[string]bool{}, gaps: map[string]bool{},
	}
	if root := r.document(data); root != nil {
		r.root(value{r, "", root, mark{1, 1}})
	}
	if r.fault != nil {
		return nil, r.fault
	}
	if !r.unreadable {
		r.settle()
		r.check()
		r.judge(checks)
	}
	switch {
	case r.unreadable:
		r.cfg = nil
		fallthrough
	case len(r.problems) > 0:
		r.problems.sort()
		return r.cfg, r.problems
	default:
		return r.cfg, nil
	}
}

// document returns the root of the one document in data, or nil when there is nothing to read.
func (r *reader) document(data []byte) *yaml.Node {
	if line := textProblem(data); line > 0 {
		r.unreadable = true
		r.add(mark{line, 1}, "", "bytes that are not UTF-8", "a text file in UTF-8")
		return nil
	}
	if len(data) > maxFile {
		r.unreadable = true
		r.add(mark{1, 1}, "", "a file too large", "at most 1 MiB")
		return nil
	}
	lines := &lineReader{rest: data}
	dec := yaml.NewDecoder(lines)
	var first, second yaml.Node
	if err := dec.Decode(&first); err != nil {
		r.syntax(err, lines.given)
		return nil
	}
	switch err := dec.Decode(&second); {
	case err == nil:
		r.add(mark{max(second.Line, 1), max(second.Column, 1)}, "", "a second document",
			"one document only; take out the line ---")
	case !errors.Is(err, io.EOF):
		r.syntax(err, lines.given)
		return nil
	}
	if len(first.Content) == 0 {
		return nil
	}
	return first.Content[0]
}

// noise is what the YAML library says besides the fault: a line that is often one off, and text of the
// file, which may be a password that begins with *. This is for show; nothing is decided by it.
var noise = regexp.MustCompile(`^yaml: (line \d+: )?| '.*' referenced`)

func (r *reader) syntax(err error, line int) {
	if errors.Is(err, io.EOF) {
		return // no document at all: everything has its default
	}
	r.unreadable = true
	found := printable(noise.ReplaceAllString(err.Error(), ""))
	r.add(mark{max(line, 1), 1}, "", "not YAML: "+found,
		"YAML; the fault may begin above, with a quote, bracket or indent left open")
}

// textProblem returns the line of the first byte that is not UTF-8, or 0.
func textProblem(data []byte) int {
	if utf8.Valid(data) {
		return 0
	}
	line := 1
	for len(data) > 0 {
		c, size := utf8.DecodeRune(data)
		if c == utf8.RuneError && size == 1 {
			break
		}
		if c == '\n' {
			line++
		}
		data = data[size:]
	}
	return line
}

// lineReader gives the YAML parser one line at a time. The library tells where a fault is only in the
// text of its error, and often one line off; the last line it asked for is where it gave up.
type lineReader struct {
	rest  []byte
	given int // lines given, the last perhaps in part
	mid   bool
}

func (l *lineReader) Read(p []byte) (int, error) {
	if len(l.rest) == 0 {
		return 0, io.EOF
	}
	line := l.rest
	if end := bytes.IndexByte(line, '\n'); end >= 0 {
		line = line[:end+1]
	}
	if !l.mid {
		l.given++
	}
	n := copy(p, line)
	l.mid = n < len(line)
	l.rest = l.rest[n:]
	return n, nil
}
