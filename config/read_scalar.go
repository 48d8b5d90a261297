package config

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// shape is what a text must look like, and how that is said.
type shape struct {
	re   *regexp.Regexp
	want string
}

// The shapes of texts. Names become labels, paths and file names, so they are plain.
var (
	nameShape     = shape{regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`), "a name of letters, digits, - and _, at most 64"}
	titleShape    = shape{regexp.MustCompile(`^[^\p{C}\p{Zl}\p{Zp}]{1,64}$`), "1 to 64 printable characters"}
	realmShape    = shape{regexp.MustCompile(`^[!#-\[\]-~]{1,64}$`), `1 to 64 ASCII characters without space, " or \`}
	idShape       = shape{regexp.MustCompile(`^[A-Za-z0-9._-]{1,32}$`), "1 to 32 letters, digits, dots, - or _"}
	numberShape   = shape{regexp.MustCompile(`^\+?[0-9*#]{1,32}$`), "a telephone number: + or none, then 1 to 32 of 0-9 * #"}
	prefixShape   = shape{regexp.MustCompile(`^\+?[0-9]{1,32}$`), "the beginning of a telephone number: + or none, then digits"}
	languageShape = shape{regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$`), "a language tag, such as zh or en-GB"}
	pathShape     = shape{regexp.MustCompile(`^[^\x00-\x1f]{1,1000}$`), "a path"}
	markShape     = shape{regexp.MustCompile(`^[ -~]{3,64}$`), "3 to 64 ASCII characters"}
	envShape      = shape{regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`), "a name of the environment"}
)

// scalar returns a value's text as it is written, whatever YAML would make of it: 8001 and "8001" are
// the same agent.
func (v value) scalar(want string) (string, bool) {
	if !v.is(yaml.ScalarNode, want) {
		return "", false
	}
	if v.empty() {
		v.problem(v.found(), want)
		return "", false
	}
	return v.node.Value, true
}

func (v value) text(dst *string, s shape) {
	text, ok := v.scalar(s.want)
	if !ok {
		return
	}
	if !s.re.MatchString(text) {
		v.problem(v.found(), s.want)
		return
	}
	*dst = text
}

// name checks the key that an operator chose.
func (v value) name(name string, s shape) bool {
	if s.re.MatchString(name) {
		return true
	}
	v.r.marks[v.path] = v.key
	v.lose("the name "+quote(name), s.want)
	return false
}

func (v value) integer(dst *int, low, high int) {
	want := fmt.Sprintf("a whole number from %d to %d", low, high)
	text, ok := v.scalar(want)
	if !ok {
		return
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		v.problem(v.found(), want)
		return
	}
	*dst = n
}

func (v value) boolean(dst *bool) {
	text, ok := v.scalar("true or false")
	if !ok {
		return
	}
	if text != "true" && text != "false" {
		v.problem(v.found(), "true or false")
		return
	}
	*dst = text == "true"
}

func (v value) duration(dst *time.Duration, low, high time.Duration) {
	want := fmt.Sprintf("a duration from %s to %s, such as 90s, 5m, 1h30m or 2d", brief(low), brief(high))
	text, ok := v.scalar(want)
	if !ok {
		return
	}
	d, err := parseDuration(text)
	if err != nil || d < low || d > high {
		v.problem(v.found(), want)
		return
	}
	*dst = d
}

// errDuration: not a duration.
var errDuration = errors.New("not a duration")

// parseDuration takes Go's durations, with whole days (24 h) before them or alone: 730d, 1d12h.
func parseDuration(text string) (time.Duration, error) {
	days, rest, found := strings.Cut(text, "d")
	if !found {
		d, err := time.ParseDuration(text)
		if err != nil {
			return 0, errors.Join(errDuration, err)
		}
		return d, nil
	}
	n, err := strconv.ParseUint(days, 10, 31)
	if err != nil || n > uint64(math.MaxInt64/day) {
		return 0, errDuration
	}
	d := time.Duration(n) * day
	if rest == "" {
		return d, nil
	}
	more, err := time.ParseDuration(rest)
	if err != nil || more < 0 || d > math.MaxInt64-more {
		return 0, errDuration
	}
	return d + more, nil
}

// brief writes a duration without units that are zero: 5m, not 5m0s.
func brief(d time.Duration) string {
	if d >= 2*day && d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func (v value) address(dst *netip.Addr) bool {
	const want = "an IP address, such as 192.0.2.10"
	text, ok := v.scalar(want)
	if !ok {
		return false
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		v.problem(v.found(), want)
		return false
	}
	*dst = a.Unmap()
	return true
}

// oneOf takes one word of a closed set.
func oneOf[T ~string](v value, dst *T, choices ...T) bool {
	text, ok := v.scalar(orList(choices))
	if !ok {
		return false
	}
	if !slices.Contains(choices, T(text)) {
		v.problem(v.found(), orList(choices)+suggest(v.r, text, choices))
		return false
	}
	*dst = T(text)
	return true
}

// listOf takes words of a closed set, in order, each once and at least one.
func listOf[T ~string](v value, dst *[]T, choices ...T) {
	want := "a list of " + orList(choices)
	var list []T
	good := v.node.Kind == yaml.SequenceNode
	v.items(want, func(_ int, item value) {
		var word T
		switch ok := oneOf(item, &word, choices...); {
		case !ok:
			good = false
		case slices.Contains(list, word):
			item.problem(item.found()+" again", "it once")
			good = false
		default:
			list = append(list, word)
		}
	})
	if good && len(list) == 0 {
		v.problem("an empty list", want)
		return
	}
	if good {
		*dst = list
	}
}
