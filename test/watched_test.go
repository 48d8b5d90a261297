package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"hotline/internal/testkit"
)

// rules is what the checks need of deploy/prometheus/rules.yaml.
type rules struct {
	Groups []struct {
		Name  string
		Rules []struct {
			Record, Alert, Expr string
			Labels, Annotations map[string]string
		}
	}
}

// prometheusFolder is deploy/prometheus, and what its rules say.
func prometheusFolder(t *testing.T) (dir string, r rules) {
	t.Helper()
	dir = filepath.Join(testkit.Module(t), "deploy", "prometheus")
	text, err := os.ReadFile(filepath.Join(dir, "rules.yaml"))
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, &r))
	return dir, r
}

// promtool runs it in a folder; it must find nothing wrong.
func promtool(t *testing.T, dir string, args ...string) {
	t.Helper()
	testkit.Require(t, "promtool")
	cmd := exec.CommandContext(t.Context(), "promtool", args...)
	cmd.Dir = dir
	said, err := cmd.CombinedOutput()
	require.NoError(t, err, "promtool %v: %s", args, said)
}

// TestAlertsReachSomebody: Prometheus sends its alerts to where Alertmanager listens by itself, Alertmanager takes its configuration, and an
// alert of each severity of the rules has a receiver of that name, which somebody is told by.
func TestAlertsReachSomebody(t *testing.T) {
	t.Parallel()
	testkit.Require(t, "amtool")
	dir, r := prometheusFolder(t)
	read := func(name string, to any) {
		text, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.NoError(t, yaml.Unmarshal(text, to))
	}
	var watcher struct {
		Alerting struct {
			Alertmanagers []struct {
				Static []struct{ Targets []string } `yaml:"static_configs"`
			}
		}
	}
	read("prometheus.yml", &watcher)
	require.Len(t, watcher.Alerting.Alertmanagers, 1)
	require.Equal(t, []string{"127.0.0.1:9093"}, watcher.Alerting.Alertmanagers[0].Static[0].Targets)

	file := filepath.Join(dir, "alertmanager.yml")
	command(t, "amtool", "check-config", file)
	severities := map[string]bool{}
	for _, g := range r.Groups {
		for _, rule := range g.Rules {
			if rule.Alert != "" {
				severities[rule.Labels["severity"]] = true
			}
		}
	}
	require.Len(t, severities, 2)
	var told struct{ Receivers []map[string]any }
	read("alertmanager.yml", &told)
	for severity := range severities {
		command(t, "amtool", "config", "routes", "test", "--config.file="+file, "--verify.receivers="+severity, "job=hotline", "severity="+severity)
	}
	for _, receiver := range told.Receivers {
		require.Greater(t, len(receiver), 1, "%s tells nobody", receiver["name"])
	}
}

// TestRules: Prometheus takes the rules and the configuration, and each alert fires when it is to and no other does.
func TestRules(t *testing.T) {
	t.Parallel()
	dir, r := prometheusFolder(t)
	promtool(t, dir, "check", "rules", "rules.yaml")
	promtool(t, dir, "check", "config", "prometheus.yml")
	cases, err := filepath.Glob(filepath.Join(dir, "*_test.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, cases)
	promtool(t, dir, append([]string{"test", "rules"}, cases...)...)

	var said strings.Builder
	for _, file := range cases {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, "value: 1") || strings.Contains(line, "alertname: ") { // what is expected to fire
				said.WriteString(line)
			}
		}
	}
	for _, g := range r.Groups {
		for _, rule := range g.Rules {
			if rule.Alert != "" {
				require.Regexp(t, `\b`+rule.Alert+`\b`, said.String(), "no case in which %s fires", rule.Alert)
			}
		}
	}
}

// TestAlertsAreExplained: each alert says how urgent it is and what happened, and docs/alerts.md says what to do, of these alerts
// and no others.
func TestAlertsAreExplained(t *testing.T) {
	t.Parallel()
	dir, r := prometheusFolder(t)
	text, err := os.ReadFile(filepath.Join(dir, "..", "..", "docs", "alerts.md"))
	require.NoError(t, err)
	sections := map[string]string{}
	for _, section := range strings.Split(string(text), "\n### ")[1:] {
		name, body, _ := strings.Cut(section, "\n")
		body, _, _ = strings.Cut(body, "\n## ")
		sections[name] = strings.TrimSpace(body)
	}
	var alerts []string
	for _, g := range r.Groups {
		for _, rule := range g.Rules {
			if rule.Alert == "" {
				continue
			}
			alerts = append(alerts, rule.Alert)
			require.Contains(t, []string{"critical", "warning"}, rule.Labels["severity"], rule.Alert)
			require.NotEmpty(t, rule.Annotations["summary"], rule.Alert)
			require.Equal(t, "docs/alerts.md#"+strings.ToLower(rule.Alert), rule.Annotations["runbook"])
			require.True(t, strings.HasPrefix(sections[rule.Alert], rule.Labels["severity"]+". "),
				"docs/alerts.md does not say of %s that it is %s", rule.Alert, rule.Labels["severity"])
			require.Greater(t, len(sections[rule.Alert]), 80, "docs/alerts.md says nothing of %s", rule.Alert)
		}
	}
	require.Len(t, sections, len(alerts))
	require.Len(t, slices.Compact(slices.Sorted(slices.Values(alerts))), len(alerts), "an alert is there twice")
}

// foreign are the metrics of rules and board that are not the program's own: Prometheus', and those of
// prometheus-node-exporter 1.5 on the same machine.
var foreign = []string{
	"up", "ALERTS", "node_filesystem_avail_bytes", "node_filesystem_size_bytes", "node_netstat_Udp_RcvbufErrors",
	"node_netstat_Udp6_RcvbufErrors", "node_nf_conntrack_entries", "node_nf_conntrack_entries_limit",
}

// seldom are of the program and not in the /metrics of one that is alone, has records in a file, or has had no call yet.
var seldom = regexp.MustCompile(`^hotline_(site_|sip_gate_|store_database_up$|store_spool|store_commits_total$|dial_total$|offers_total$|registrations_total$|trunk_(registrations_total|logins_total|up|peer_certificate_expires_timestamp)$|sip_(dropped|requests|responses)_total$|answer_rings|wait_seconds|talk_seconds|http_requests|survey_score$|rtp_loss_ratio$|rtp_jitter_seconds$)`)

// TestWhatIsWatchedExists: rules and board name metrics, labels and labels' values that the program has.
func TestWhatIsWatchedExists(t *testing.T) {
	t.Parallel()
	_, r := prometheusFolder(t)
	var exprs []string
	var recorded []string
	for _, g := range r.Groups {
		for _, rule := range g.Rules {
			exprs = append(exprs, rule.Expr)
			if rule.Record != "" {
				recorded = append(recorded, rule.Record)
			}
		}
	}
	_, cert, key := testkit.Certificate(t)
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: fmt.Sprintf(watchedYAML, cert, key), Certificate: cert, Key: key})
	s := exposed(t, string(h.Get("/metrics")))
	rows := documented(t)
	for _, expr := range append(exprs, boardExprs(t)...) {
		for _, sel := range selectors(expr) {
			if slices.Contains(foreign, sel.metric) || slices.Contains(recorded, sel.metric) {
				continue
			}
			s.require(t, rows, sel, expr)
		}
	}
}

const watchedYAML = `
queues: {repair: {}, gas-alarm: {}}
webhooks: [{name: duty, url: "http://127.0.0.1:9/", secret: signing}]
trunks:
  - {name: city, allow: [127.0.0.0/8], numbers: {"96777": {queue: repair}}}
  - {name: away, register: {address: "udp://127.0.0.1:9", username: "1", password: away}, ping: 1m, numbers: {"96778": {queue: repair}}}
  - {name: secret, address: "tls://127.0.0.1:9", tls: {certificate: %q, key: %q}, ping: 1m, from: "96777"}
agents: [{id: "8001", name: A, password: one, skills: {repair: 1, gas-alarm: 1}}]
`
