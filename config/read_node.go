package config

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// reader walks one document, fills cfg, and gathers problems. What cannot be read keeps its default.
type reader struct {
	file     string
	env      func(string) (string, bool)
	cfg      *Config
	problems Problems
	// broken has every path at or below which something was found wrong; lost those at or below which
	// something could not be taken into cfg; and gaps those which lack an entry for that reason. What
	// seems to be missing there may be in the file, and is not reported.
	broken, lost, gaps map[string]bool
	// suggested counts suggestions, see suggest.
	suggested int
	find      PromptFinder // nil: prompts are not checked
	// marks is where each path stands in the file; a default has none.
	marks map[string]mark
	// timezone is loaded when all is read, so that a file which names none needs no database.
	timezone string
	// listenPaths are the paths of cfg.SIP.Listen; none for the default ones.
	listenPaths []string
	// unreadable: there was no document to read, so nothing that follows from its content is checked.
	unreadable bool
	// fault is an error that is not the file's.
	fault error
}

// mark is a place in the file, counted from 1.
type mark struct{ line, column int }

func (r *reader) add(at mark, path, found, want string) {
	for up := range upwards(path) {
		r.broken[up] = true
	}
	r.problems = append(r.problems, Problem{
		File: r.file, Line: at.line, Column: at.column, Path: path, Found: found, Want: want,
	})
}

// report adds a problem with what stands at path, or with its nearest parent in the file.
func (r *reader) report(path, found, want string) {
	r.add(r.at(path), path, found, want)
}

func (r *reader) at(path string) mark {
	for up := range upwards(path) {
		if m, ok := r.marks[up]; ok {
			return m
		}
	}
	return r.marks[""]
}

// upwards gives a path, then its parent, up to the first key.
func upwards(path string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for path != "" && yield(path) {
			path = path[:max(strings.LastIndexAny(path, ".["), 0)]
		}
	}
}

// written reports whether the file says something at path.
func (r *reader) written(path string) bool {
	_, ok := r.marks[path]
	return ok
}

// value is a node of the document with its path.
type value struct {
	r    *reader
	path string
	node *yaml.Node
	// key is where the key stands, in a mapping.
	key mark
}

// problem reports what is wrong with a value.
func (v value) problem(found, want string) { v.r.report(v.path, found, want) }

// lose reports what is wrong with a value of which nothing can be taken.
func (v value) lose(found, want string) {
	v.problem(found, want)
	v.lost()
}

func (v value) lost() {
	depth := 0
	for up := range upwards(v.path) {
		v.r.lost[up] = true
		if depth++; depth <= 2 {
			v.r.gaps[up] = true
		}
	}
}

// empty reports whether a key stands there with nothing, which is as if it were left out.
func (v value) empty() bool {
	return v.node.Kind == yaml.ScalarNode && v.node.ShortTag() == "!!null"
}

// found says what a value is, for problems. It must not be asked of a secret.
func (v value) found() string {
	switch v.node.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	case yaml.ScalarNode, yaml.DocumentNode:
	}
	if v.empty() {
		return "nothing"
	}
	return quote(v.node.Value)
}

// is checks the kind of a value. Aliases are refused here, and with them every way to make a small file
// large.
func (v value) is(kind yaml.Kind, want string) bool {
	switch {
	case v.node.Kind == yaml.AliasNode:
		v.lose("an alias", "it written out; aliases are not followed")
	case v.node.Kind != kind:
		v.lose(v.found(), want)
	case v.node.Style&yaml.TaggedStyle != 0:
		v.lose("a tag ("+clip(v.node.Tag)+")", "the value without a tag")
	default:
		return true
	}
	return false
}

// Keys that are named in several places.
const (
	keyName      = "name"
	keyMenus     = "menus"
	keyCalendar  = "calendar"
	keyQueues    = "queues"
	keyAddress   = "address"
	keyAdvertise = "advertise"

	keyOverflow = "overflow"
	keyPrompts  = "prompts"
	keyPrompt   = "prompt"
	keyKeys     = "keys"
	keyURL      = "url"
	keyHours    = "hours"
)

// field is one key that a mapping may have.
type field struct {
	name string
	read func(value)
}

// fields reads a mapping whose keys are known. Keys left out, or with nothing, keep their defaults.
func (v value) fields(fields ...field) {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	v.entries(func(name string, child value) {
		i := slices.Index(names, name)
		switch {
		case i < 0:
			child.r.marks[child.path] = child.key
			child.lose("unknown key", orList(names)+suggest(v.r, name, names))
		case child.empty():
			delete(v.r.marks, child.path)
		default:
			fields[i].read(child)
		}
	})
}

// entries reads a mapping whose keys the operator chooses; nothing is an empty mapping.
func (v value) entries(read func(name string, child value)) {
	if v.empty() || !v.is(yaml.MappingNode, "a mapping (key: value)") {
		return
	}
	seen := make(map[string]int, len(v.node.Content)/2)
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		key, node := v.node.Content[i], v.node.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			v.r.add(markOf(key), v.path, "a key that is not text", "a plain word as key")
			continue
		}
		path := strings.TrimPrefix(v.path+"."+clip(key.Value), ".")
		if line, twice := seen[key.Value]; twice {
			v.r.add(markOf(key), path, fmt.Sprintf("the key again (first in line %d)", line), "it once")
			continue
		}
		seen[key.Value] = key.Line
		// A block that begins on the next line is better found by its key.
		v.r.marks[path] = markOf(node)
		if node.Kind != yaml.ScalarNode {
			v.r.marks[path] = markOf(key)
		}
		read(key.Value, value{v.r, path, node, markOf(key)})
	}
}

// items reads a list; nothing is an empty list.
func (v value) items(want string, read func(i int, item value)) {
	if v.empty() || !v.is(yaml.SequenceNode, want) {
		return
	}
	for i, node := range v.node.Content {
		path := fmt.Sprintf("%s[%d]", v.path, i)
		v.r.marks[path] = markOf(node)
		item := value{v.r, path, node, markOf(node)}
		if item.empty() {
			item.lose("an entry with nothing in it", "something there, or the entry taken out")
			continue
		}
		read(i, item)
	}
}

func markOf(n *yaml.Node) mark { return mark{max(n.Line, 1), max(n.Column, 1)} }
