package test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"hotline/call"
	"hotline/internal/testkit"
	"hotline/site"
	"hotline/store/redisstore"
)

// compose is what the checks need of deploy/compose.yaml.
type compose struct {
	Services map[string]struct {
		Volumes []string `yaml:"volumes"`
		Command []string `yaml:"command"`
		Secrets []string `yaml:"secrets"`
		EnvFile []string `yaml:"env_file"`
		Grace   string   `yaml:"stop_grace_period"`
		Health  struct {
			Test []string `yaml:"test"`
		} `yaml:"healthcheck"`
	} `yaml:"services"`
	Secrets map[string]struct {
		File string `yaml:"file"`
	} `yaml:"secrets"`
	Volumes map[string]any `yaml:"volumes"`
}

// node is what the checks need of deploy/nodes.
type node struct {
	SIP   struct{ Listen []string }  `yaml:"sip"`
	Media struct{ Ports string }     `yaml:"media"`
	HTTP  struct{ Listen string }    `yaml:"http"`
	Drain time.Duration              `yaml:"drain"`
	Node  struct{ Name, SIP string } `yaml:"node"`

	text string
}

// deployed reads what deploy has: the compose file, and the configuration of each node.
func deployed(t *testing.T) (dir string, c compose, nodes map[string]node) {
	t.Helper()
	dir = filepath.Join(testkit.Module(t), "deploy")
	text, err := os.ReadFile(filepath.Join(dir, "compose.yaml"))
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, &c))
	nodes = make(map[string]node)
	for name := range c.Services {
		if !strings.HasPrefix(name, "node") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, "nodes", name+".yaml"))
		require.NoError(t, err)
		n := node{text: string(text)}
		require.NoError(t, yaml.Unmarshal(text, &n))
		nodes[name] = n
	}
	require.Len(t, nodes, 3)
	return dir, c, nodes
}

// TestComposeFile: it is what the Compose specification says, by the schema that is published with it
// (compose-spec/compose-go v2.16.2, Apache 2.0), and whatever it names is there.
func TestComposeFile(t *testing.T) {
	t.Parallel()
	dir, c, nodes := deployed(t)
	text, err := os.ReadFile(filepath.Join(dir, "compose.yaml"))
	require.NoError(t, err)
	var file any
	require.NoError(t, yaml.Unmarshal(text, &file)) // with what it merges
	asJSON, err := json.Marshal(file)
	require.NoError(t, err)
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(string(asJSON)))
	require.NoError(t, err)
	schema, err := jsonschema.NewCompiler().Compile("testdata/compose-spec.json")
	require.NoError(t, err)
	require.NoError(t, schema.Validate(document))

	exists := func(path string) {
		require.FileExists(t, filepath.Join(dir, strings.Replace(path, "secrets/", "secrets.example/", 1)))
	}
	for name, s := range c.Services {
		require.NotEmpty(t, s.Health.Test, name)
		for _, v := range s.Volumes {
			if from, _, _ := strings.Cut(v, ":"); strings.HasPrefix(from, ".") {
				exists(from)
			} else {
				require.Contains(t, c.Volumes, from, name)
			}
		}
		for _, f := range s.EnvFile {
			exists(f)
		}
		for _, secret := range s.Secrets {
			exists(c.Secrets[secret].File)
		}
	}
	for name, n := range nodes {
		s := c.Services[name]
		grace, err := time.ParseDuration(s.Grace)
		require.NoError(t, err)
		require.Greater(t, grace, n.Drain, "%s is killed while it drains", name)
		require.Contains(t, s.Volumes, fmt.Sprintf("./nodes/%s.yaml:/etc/hotline/hotline.yaml:ro", name))
		require.Contains(t, strings.Join(s.Health.Test, " "), strings.Replace(n.HTTP.Listen, ":", "/", 1), name)
	}
}

// TestNodesOfCompose: each node's configuration passes `hotline check`; they differ in their ports and names alone; and the
// proxy's list names exactly them, in both sets.
func TestNodesOfCompose(t *testing.T) {
	t.Parallel()
	dir, _, nodes := deployed(t)
	list, err := os.ReadFile(filepath.Join(dir, "kamailio", "dispatcher.list"))
	require.NoError(t, err)
	secrets, err := os.ReadFile(filepath.Join(dir, "secrets.example", "node.env"))
	require.NoError(t, err)
	var wanted, ports []string
	alike := make(map[string]bool)
	for name, n := range nodes {
		require.Len(t, n.SIP.Listen, 1)
		listen := strings.TrimPrefix(n.SIP.Listen[0], "udp://")
		wanted = append(wanted, "1 sip:"+listen+" 8", "2 sip:"+listen+" 0")
		ports = append(ports, listen, n.Media.Ports, n.HTTP.Listen, n.Node.SIP)
		same := strings.NewReplacer(listen, "", n.Media.Ports, "", n.HTTP.Listen, "", n.Node.SIP, "", "name: "+name, "", strings.Replace(name, "node", "Node ", 1), "")
		alike[same.Replace(n.text)] = true

		require.Equal(t, name, n.Node.Name)
		file := filepath.Join(dir, "nodes", name+".yaml")
		check := exec.CommandContext(t.Context(), testkit.HotlineBinary(t, true), "check", file)
		check.Env = append(os.Environ(), strings.Split(string(secrets), "\n")...)
		said, err := check.CombinedOutput()
		require.NoError(t, err, string(said))
	}
	require.Len(t, alike, 1, "nodes differ in more than their ports and names")
	slices.Sort(ports)
	require.Len(t, slices.Compact(ports), 12)
	var named []string
	for line := range strings.Lines(string(list)) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "#") {
			named = append(named, line)
		}
	}
	require.ElementsMatch(t, wanted, named)
}

// TestKamailioTakesItsFiles: kamailio -c accepts the configuration as compose.yaml starts it, and as it stands without
// anything said.
func TestKamailioTakesItsFiles(t *testing.T) {
	t.Parallel()
	testkit.Require(t, "kamailio")
	dir, c, _ := deployed(t)
	file := func(name string) string { return filepath.Join(dir, "kamailio", name) }
	args := []string{
		"-c", "-f", file("kamailio.cfg"),
		"-A", fmt.Sprintf("NODES=%q", file("dispatcher.list")), "-A", fmt.Sprintf("TRUNKS=%q", file("address.list")),
	}
	given := c.Services["kamailio"].Command
	for i := range given {
		given[i] = strings.ReplaceAll(given[i], "$$", "$")
	}
	for _, more := range [][]string{nil, given} {
		said, err := exec.CommandContext(t.Context(), "kamailio", append(slices.Clone(args), more...)...).CombinedOutput() //nolint:gosec // of this repository
		require.NoError(t, err, string(said))
		require.NotContains(t, string(said), "ERROR")
	}
}

// TestRedisUserOfCompose: what redis.acl allows is all that a node needs of Redis, on the keys of its site alone.
func TestRedisUserOfCompose(t *testing.T) {
	t.Parallel()
	dir, _, _ := deployed(t)
	acl, err := os.ReadFile(filepath.Join(dir, "secrets.example", "redis.acl"))
	require.NoError(t, err)
	words := regexp.MustCompile(`(?m)^user (hotline .*)$`).FindStringSubmatch(string(acl))
	require.Len(t, words, 2)
	env, err := os.ReadFile(filepath.Join(dir, "secrets.example", "node.env"))
	require.NoError(t, err)
	who := regexp.MustCompile(`(?m)^HOTLINE_STATE=redis://(.*)@127.0.0.1:6379/0$`).FindStringSubmatch(string(env))
	require.Len(t, who, 2)
	redis := testkit.StartRedis(t, testkit.RedisUsers(words[1]))
	open := func(name string) *redisstore.Book {
		book, err := redisstore.Open(redisstore.Options{URL: "redis://" + who[1] + "@" + redis.Addr() + "/0", Site: name})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, book.Close()) })
		return book
	}
	ctx := t.Context()
	book := open("hotline")
	node := site.Node{ID: "a.1", Name: "node1", SIP: "127.0.0.1:1", HTTP: "127.0.0.1:2", Lease: 5 * time.Second}
	_, err = book.Enter(ctx, node, site.Lease{})
	require.NoError(t, err)
	view, err := book.Read(ctx)
	require.NoError(t, err)
	require.NoError(t, book.Say(ctx, node.ID,
		call.SiteFact{Flow: &call.SiteFlow{Agent: "8001", Edge: node.ID, Since: view.Now}},
		call.SiteFact{Caller: &call.SiteCaller{Call: "c", Owner: node.ID, Queue: "q", Entered: view.Now, Came: view.Now}},
		call.SiteFact{Shift: &call.Shift{Agent: "8001", Paused: true, Since: view.Now}},
		call.SiteFact{Place: &call.SitePlace{Queue: "q", Number: "1", Entered: view.Now, Left: view.Now, Until: view.Now.Add(time.Minute)}},
		call.SiteFact{Regular: &call.SiteRegular{Queue: "q", Number: "1", Agent: "8001", At: view.Now}}))
	grant, err := book.Claim(ctx, node.ID, "8001", "c")
	require.NoError(t, err)
	entries, err := book.Follow(ctx, view.At)
	require.NoError(t, err)
	require.NotEmpty(t, entries)
	require.NoError(t, book.Release(ctx, node.ID, call.SiteRest{Agent: "8001", Token: grant.Token, How: "answered"}))
	_, err = book.Renew(ctx, node.ID)
	require.NoError(t, err)
	require.NoError(t, book.Leave(ctx, node.ID))
	_, err = open("another").Enter(ctx, node, site.Lease{})
	require.ErrorContains(t, err, "NOPERM")
}
