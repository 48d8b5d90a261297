package test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// selector is a metric that an expression of PromQL names, with what it wants of the metric's labels.
type selector struct {
	metric string
	labels map[string][]string // values wanted, the parts of a regular expression one by one; none for what is unequal
}

var (
	named    = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*`)
	matcher  = regexp.MustCompile(`([a-zA-Z_]+)\s*(=~|!~|!=|=)\s*"([^"]*)"`)
	grouping = regexp.MustCompile(`\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)`)
	ranges   = regexp.MustCompile(`\[[0-9a-z$_:]+\]|offset\s+\w+`)
	matchers = regexp.MustCompile(`\{[^}]*\}`)
	numbers  = regexp.MustCompile(`\b[0-9][0-9a-z.]*\b`)
	metricIn = regexp.MustCompile(`([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[^}]*\})?(\s*\()?`)
	words    = []string{"and", "or", "unless", "bool", "inf", "by", "on"}
)

// selectors are those of an expression. It is no parser of PromQL (promtool is): it takes all names that are no function,
// no keyword and no label, so that one it does not understand is looked for among the metrics, and not found.
func selectors(expr string) (out []selector) {
	expr = ranges.ReplaceAllString(grouping.ReplaceAllString(expr, " "), " ")
	for _, m := range metricIn.FindAllStringSubmatch(withoutNumbers(expr), -1) {
		if m[3] != "" || slices.Contains(words, m[1]) {
			continue
		}
		sel := selector{metric: m[1], labels: map[string][]string{}}
		for _, l := range matcher.FindAllStringSubmatch(m[2], -1) {
			sel.labels[l[1]] = nil
			switch l[2] {
			case "=":
				sel.labels[l[1]] = []string{l[3]}
			case "=~":
				sel.labels[l[1]] = strings.Split(l[3], "|")
			}
		}
		out = append(out, sel)
	}
	return out
}

// withoutNumbers takes numbers away that are in no matcher.
func withoutNumbers(expr string) string {
	var out strings.Builder
	kept := matchers.FindAllString(expr, -1)
	for i, part := range matchers.Split(expr, -1) {
		if i > 0 {
			out.WriteString(kept[i-1])
		}
		out.WriteString(numbers.ReplaceAllString(part, " "))
	}
	return out.String()
}

// series is what the program shows: by metric and label, the values.
type series map[string]map[string][]string

// exposed reads the text format of Prometheus.
func exposed(t *testing.T, text string) series {
	t.Helper()
	s := series{}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		metric := named.FindString(line)
		if s[metric] == nil {
			s[metric] = map[string][]string{}
		}
		for _, l := range matcher.FindAllStringSubmatch(line, -1) {
			s[metric][l[1]] = append(s[metric][l[1]], l[3])
		}
	}
	require.NotEmpty(t, s)
	return s
}

// documented are the rows of the README's table of metrics, by metric.
func documented(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testkit.Module(t), "README.md"))
	require.NoError(t, err)
	rows := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "| `hotline_") {
			continue
		}
		cell, _, _ := strings.Cut(line[2:], "|")
		all := strings.Split(cell, "`")
		for i := 1; i < len(all); i += 2 {
			name := all[i]
			if strings.HasPrefix(name, "_") { // as the first, but for what comes behind its subsystem
				name = strings.Join(strings.SplitN(all[1], "_", 3)[:2], "_") + name
			}
			rows[name] = line
		}
	}
	require.NotEmpty(t, rows)
	return rows
}

// own are labels that Prometheus adds, or that a histogram has; chosen those whose values are an operator's words.
var (
	own    = []string{"job", "instance", "le"}
	chosen = []string{"queue", "hook", "trunk", "listener"}
)

// require finds a selector's metric, labels and values in what the program shows, or where it shows none yet in the README.
func (s series) require(t *testing.T, rows map[string]string, sel selector, expr string) {
	t.Helper()
	base := sel.metric
	for _, suffix := range []string{"_bucket", "_count", "_sum"} {
		base = strings.TrimSuffix(base, suffix)
	}
	row, told := rows[base]
	shown, exists := s[sel.metric]
	if !assert.True(t, exists || told && seldom.MatchString(base), "no metric %s, in: %s", sel.metric, expr) {
		return
	}
	if strings.HasPrefix(base, "hotline_") {
		require.True(t, told, "README.md does not tell of %s, in: %s", base, expr)
	}
	cells := strings.SplitN(row, "|", 4)
	for label, values := range sel.labels {
		if slices.Contains(own, label) {
			continue
		}
		require.Contains(t, named.FindAllString(cells[2], -1), label, "label of %s in: %s", base, expr)
		for _, v := range values {
			known := slices.Contains(chosen, label) || slices.Contains(shown[label], v) || regexp.MustCompile(`\b`+regexp.QuoteMeta(v)+`\b`).MatchString(cells[3]) ||
				label == "code" && regexp.MustCompile(`^[1-6][0-9.]{2}$|^\[2-6\]\.\.$`).MatchString(v) ||
				label == "method" && v == "INVITE" || base == "hotline_offers_total" && slices.Contains(offerEnds, v)
			assert.True(t, known, "%s=%q of %s, in: %s", label, v, base, expr)
		}
	}
}

// offerEnds are how offers end, as in a record's offers[] (README.md).
var offerEnds = []string{"answered", "refused", "busy", "unanswered", "unreachable", "withdrawn", "taken"}

// TestSelectors: what is not to be missed when expressions are read.
func TestSelectors(t *testing.T) {
	t.Parallel()
	got := selectors(`sum by (job, queue) (rate(a_total{x="1",y=~"b|c"}[5m] offset 1w)) > 0.5 * on (job) group_left () b:c:rate_5m and 2e9 < d{z!=""} unless e offset 10m`)
	require.Equal(t, []selector{
		{"a_total", map[string][]string{"x": {"1"}, "y": {"b", "c"}}},
		{"b:c:rate_5m", map[string][]string{}},
		{"d", map[string][]string{"z": nil}},
		{"e", map[string][]string{}},
	}, got)
}
