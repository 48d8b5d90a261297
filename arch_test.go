// Package hotline_test holds the tree against its own rules.
package hotline_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// allowed is the map of design section 3: which of our folders each folder may import. A folder that is
// not here may not exist; cmd/hotline alone wires them.
var allowed = map[string][]string{
	"config":           {},
	"calendar":         {},
	"egress":           {},
	"media":            {},
	"media/mediaload":  {"media"},
	"media/mediatest":  {"media", "internal/testkit"},
	"media/prompts":    {"media"},
	"call":             {"media"},
	"call/calltest":    {"call", "media"},
	"sip":              {"call", "media"},
	"hep":              {"call", "media"},
	"ivr":              {"call", "media"},
	"acd":              {"call", "media"},
	"acd/model":        {"acd", "call", "media"},
	"acd/claimtest":    {"acd", "call", "media"},
	"notify":           {"call"},
	"acd/erlang":       {},
	"acd/forecast":     {"acd", "acd/erlang", "call", "media"},
	"observe":          {"call", "media"},
	"recorder":         {"call", "media"},
	"site":             {"call", "media"},
	"store/sqlstore":   {"call", "media"},
	"store/redisstore": {"call", "media", "site"},
	"store/memstore":   {"call", "media", "site"},
	"store/storetest":  {"call", "media", "site"},
	"web":              {"call", "media", "web/peer"},
	"web/peer":         {},
	"sim":              {"call", "media", "sip"},
	"internal/testkit": {"*"},
	"test":             {"*"},
	"test/chaos":       {"*"},
	"test/claims":      {"*"},
	"test/flood":       {"*"},
	"test/matrix":      {"*"},
	"cmd/hotline":      {"*"},
}

// only says which foreign modules belong to one folder alone, or to it and what measures it.
var only = map[string][]string{
	"github.com/emiago/sipgo": {"sip"},
	"github.com/pion/":        {"media", "media/mediaload"},
	"modernc.org/sqlite":      {"store/sqlstore"},
	"github.com/redis/":       {"store/redisstore"},
	"github.com/jackc/pgx":    {"store/sqlstore"},
	"go.yaml.in/yaml":         {"config"},
}

// TestWhoMayImportWhom holds the tree against the map.
func TestWhoMayImportWhom(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").Output()
	require.NoError(t, err)
	seen := 0
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		folder, ours := strings.CutPrefix(fields[0], "hotline/")
		if !ours {
			continue
		}
		may, known := allowed[folder]
		if !known {
			t.Errorf("folder %s is not on the map: put it in design section 3 and here, or elsewhere", folder)
			continue
		}
		seen++
		for _, imp := range fields[1:] {
			checkImport(t, folder, imp, may)
		}
	}
	require.Greater(t, seen, 5, "the map was held against something")
}

var (
	begins = regexp.MustCompile(`(?m)^\s*go |\.Go\(`)
	looks  = regexp.MustCompile(`goleak\.Verify|\bMain\(m\)`) // the second is testkit's
)

// TestLeaksAreLookedFor: a folder that begins goroutines, and has tests, looks in them for goroutines left
// behind. Suites have no tests of their own: their users look.
func TestLeaksAreLookedFor(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-f",
		`{{.Dir}}|{{join .GoFiles " "}}|{{join .TestGoFiles " "}} {{join .XTestGoFiles " "}}`, "./...").Output()
	require.NoError(t, err)
	seen := 0
	for line := range strings.Lines(string(out)) {
		parts := strings.Split(line, "|")
		dir, source, tests := parts[0], strings.Fields(parts[1]), strings.Fields(parts[2])
		if len(tests) == 0 || !anyHas(t, dir, source, begins) {
			continue
		}
		seen++
		if !anyHas(t, dir, tests, looks) {
			t.Errorf("%s begins goroutines, and no test of it calls goleak", dir)
		}
	}
	require.Greater(t, seen, 5, "something was looked at")
}

var (
	audits  = regexp.MustCompile(`\.Info\("audit: `)
	audited = regexp.MustCompile(`(\baudit|\bAudit\([\w.]+\))\.Info\("audit: `)
)

// TestAuditsAreAudits: what says that it is an audit is logged as one (call.Audit), whatever the level of the log.
func TestAuditsAreAudits(t *testing.T) {
	seen := 0
	require.NoError(t, filepath.WalkDir(".", func(path string, _ os.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for line := range strings.Lines(string(text)) {
			if audits.MatchString(line) {
				seen++
				if !audited.MatchString(line) {
					t.Errorf("%s: by no audit logger: %s", path, line)
				}
			}
		}
		return err
	}))
	require.Greater(t, seen, 5, "something was looked at")
}

func anyHas(t *testing.T, dir string, files []string, pattern *regexp.Regexp) bool {
	t.Helper()
	return slices.ContainsFunc(files, func(name string) bool {
		text, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		return pattern.Match(text)
	})
}

func checkImport(t *testing.T, folder, imp string, may []string) {
	t.Helper()
	if dep, ours := strings.CutPrefix(imp, "hotline/"); ours {
		for _, m := range may {
			if m == dep || m == "*" {
				return
			}
		}
		t.Errorf("%s must not import %s", folder, dep)
		return
	}
	for module, owners := range only {
		if strings.HasPrefix(imp, module) && !slices.Contains(owners, folder) && folder != "internal/testkit" {
			t.Errorf("%s must not import %s: only %v may", folder, imp, owners)
		}
	}
}
