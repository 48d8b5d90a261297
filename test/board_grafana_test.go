package test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"hotline/internal/testkit"
)

// board is what the checks need of deploy/grafana/hotline.json.
type board struct {
	UID    string
	Panels []struct {
		ID                int
		Type, Title       string
		Description, Expr string
		GridPos           struct{ X, Y, W, H int }
		Targets           []struct{ RefID, Expr, LegendFormat string }
		Datasource        struct{ UID string }
	}
	Templating struct {
		List []struct{ Name, Type, Definition string }
	}
	Annotations struct {
		List []struct{ Name, Expr string }
	}
}

// grafana reads the board; nothing may be twice in it, or unknown JSON.
func grafana(t *testing.T) (b board) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testkit.Module(t), "deploy", "grafana", "hotline.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &b))
	require.NotEmpty(t, b.Panels)
	return b
}

var variable = regexp.MustCompile(`\$\{?([a-zA-Z_]+)\}?`)

// boardExprs are all expressions of the board, as Grafana sends them with one node and queue chosen and a step of a minute.
func boardExprs(t *testing.T) (exprs []string) {
	t.Helper()
	b := grafana(t)
	filled := strings.NewReplacer("$__rate_interval", "1m", "$job", "hotline", "$node", "n1:8080", "$queue", "repair")
	for _, p := range b.Panels {
		for _, target := range p.Targets {
			exprs = append(exprs, filled.Replace(target.Expr))
		}
	}
	for _, a := range b.Annotations.List {
		exprs = append(exprs, filled.Replace(a.Expr))
	}
	for _, v := range b.Templating.List {
		if query, ok := strings.CutPrefix(v.Definition, "label_values("); ok {
			metric, _, found := strings.Cut(filled.Replace(query), ", ")
			require.True(t, found, v.Definition)
			exprs = append(exprs, metric)
		}
	}
	return exprs
}

// TestBoard: Prometheus can read each expression of the board, each variable is one of the board's, and no panel lies on another.
func TestBoard(t *testing.T) {
	t.Parallel()
	b := grafana(t)
	variables := map[string]bool{"__rate_interval": true}
	for _, v := range b.Templating.List {
		variables[v.Name] = true
	}
	taken := map[string]string{}
	ids := map[int]bool{}
	for _, p := range b.Panels {
		require.False(t, ids[p.ID], "two panels have the id %d", p.ID)
		ids[p.ID] = true
		require.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24, p.Title)
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := fmt.Sprint(p.GridPos.X+x, ",", p.GridPos.Y+y)
				require.Empty(t, taken[at], "%s lies on %s", p.Title, taken[at])
				taken[at] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		require.NotEmpty(t, p.Targets, p.Title)
		require.Equal(t, "${datasource}", p.Datasource.UID, p.Title)
		for _, target := range p.Targets {
			for _, m := range variable.FindAllStringSubmatch(target.Expr, -1) {
				require.True(t, variables[m[1]], "%s wants $%s", p.Title, m[1])
			}
			require.True(t, p.Title == "Alerts" || strings.Contains(target.Expr, `"$job"`), "%s looks at the hotlines of others", p.Title)
		}
	}
	var file struct {
		Groups []map[string]any `yaml:"groups"`
	}
	var read []map[string]any
	for i, expr := range boardExprs(t) {
		read = append(read, map[string]any{"record": fmt.Sprintf("board:%d", i), "expr": expr})
	}
	file.Groups = []map[string]any{{"name": "board", "rules": read}}
	text, err := yaml.Marshal(file)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "board.yaml")
	require.NoError(t, os.WriteFile(path, text, 0o600))
	promtool(t, filepath.Dir(path), "check", "rules", path)
}
