package config_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.yaml.in/yaml/v3"

	"hotline/config"
)

var update = flag.Bool("update", false, "write the problems found into testdata")

func env(vars map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v, ok := vars[name]
		return v, ok
	}
}

// parse reads what must have no problem.
func parse(t *testing.T, text string, vars map[string]string) *config.Config {
	t.Helper()
	c, err := config.Parse("test.yaml", []byte(text), env(vars))
	require.NoError(t, err)
	return c
}

func readReference(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("reference.yaml")
	require.NoError(t, err)
	return string(data)
}

// TestCases: each archive has in.yaml, perhaps env (NAME=value lines), and the problems wanted, one a
// line; none means that the file must be accepted.
func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			require.NoError(t, err)
			var in, want string
			vars := map[string]string{}
			at := -1
			for i, f := range archive.Files {
				switch f.Name {
				case "in.yaml":
					in = string(f.Data)
				case "env":
					for line := range strings.Lines(string(f.Data)) {
						name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
						vars[name] = value
					}
				case "problems":
					want, at = string(f.Data), i
				default:
					t.Fatalf("%s: unknown section %q", file, f.Name)
				}
			}
			require.GreaterOrEqual(t, at, 0, "no section problems")
			_, err = config.Parse("", []byte(in), env(vars))
			got := ""
			if err != nil {
				var problems config.Problems
				require.ErrorAs(t, err, &problems)
				got = err.Error() + "\n"
			}
			if *update {
				archive.Files[at].Data = []byte(got)
				require.NoError(t, os.WriteFile(file, txtar.Format(archive), 0o600))
				return
			}
			require.Equal(t, want, got)
		})
	}
}

func TestReference(t *testing.T) {
	c := parse(t, readReference(t), map[string]string{"HOTLINE_TOKEN": "s3cret"})
	require.Empty(t, c.GeneratedTokens())
	require.Equal(t, "s3cret", c.HTTP.Tokens[0].Token.Reveal())
	require.Equal(t, config.Supervisor, c.HTTP.Tokens[0].Role)
	require.Equal(t, "Asia/Shanghai", c.Service.Timezone.String())
	require.Equal(t, "8003", c.Agents[2].ID)
	require.Equal(t, "three", c.Agents[2].Password.Reveal())
	require.Equal(t, map[string]int{"gas-alarm": 5, "repair": 3, "consult": 1}, c.Agents[2].Skills)
	require.Equal(t, config.Destination{Queue: "gas-alarm"}, c.Trunks[0].Numbers["96119"])
	require.Equal(t, config.Destination{Menu: "main"}, c.Menus["main"].Keys["9"])
	require.Equal(t, 6*time.Second, c.Menus["main"].Wait)
	require.Equal(t, config.RingAll, c.Queues["gas-alarm"].Strategy)
	require.Equal(t, "please-wait", c.Queues["repair"].WaitPrompt)
	require.Equal(t, 730*24*time.Hour, c.Recorder.Keep)
	require.Equal(t, "udp 127.0.0.1:5060", c.SIP.Listen[0].Network+" "+c.SIP.Listen[0].Address.String())
	require.Equal(t, 2500, c.Media.Ports.Pairs())
	require.Equal(t, 1250, c.SIP.MaxCalls)
	require.Equal(t, c.Media.Address, c.Media.Advertise)
}

// An empty file means the reference without its trunks, agents and tokens.
func TestEmptyFileIsReference(t *testing.T) {
	want := parse(t, readReference(t), nil)
	want.Trunks, want.Agents, want.HTTP.Tokens = nil, nil, nil
	// `dial: []` and no dial are the same.
	want.Dial = nil
	for _, text := range []string{"", "# nothing\n", "---\n", "{}\n", "service:\nqueues:\nmenus:\n"} {
		require.Equal(t, want, parse(t, text, nil), "%q", text)
	}
}

// 0s is no rest, which is not the default.
func TestNoRest(t *testing.T) {
	require.Equal(t, 5*time.Second, parse(t, "", nil).Media.Rest)
	require.Zero(t, parse(t, "media: {rest: 0s}", nil).Media.Rest)
}

// How numbers outside are called, with its defaults.
func TestDialOut(t *testing.T) {
	c := parse(t, `
sip: {listen: ["tcp://[::1]:5060"]}
trunks:
  - {name: city, allow: [203.0.113.5], numbers: {"96777": {queue: consult}, "+8696119": {queue: repair}}, address: "tcp://[2001:db8::1]:5070", username: hotline, password: "${P}"}
dial:
  - {prefix: "139", through: city}
  - {prefix: "+86", through: city, per_minute: 1, at_once: 2, hours: 22:30-24:00, digits: 12-13, longest: 90m}
`, map[string]string{"P": "hush"})
	trunk := c.Trunks[0]
	require.Equal(t, config.TrunkAddress{Network: "tcp", Host: "2001:db8::1", Port: 5070}, trunk.Address)
	require.Equal(t, "hotline", trunk.Username)
	require.Equal(t, "hush", trunk.Password.Reveal())
	require.Equal(t, "+8696119", trunk.From)
	require.Equal(t, []config.Dial{
		{Prefix: "139", Through: "city", PerMinute: 10, AtOnce: 4, Digits: config.NumberDigits{From: 1, To: 11}},
		{
			Prefix: "+86", Through: "city", PerMinute: 1, AtOnce: 2,
			Hours: config.Hours{From: 22*time.Hour + 30*time.Minute, To: 24 * time.Hour}, Digits: config.NumberDigits{From: 12, To: 13}, Longest: 90 * time.Minute,
		},
	}, c.Dial)
}

func TestReferenceFromEnvironment(t *testing.T) {
	t.Setenv("HOTLINE_TOKEN", "from-outside")
	c, err := config.Reference()
	require.NoError(t, err)
	require.Equal(t, "from-outside", c.HTTP.Tokens[0].Token.Reveal())
}

// An unset token is never an empty token, whichever way it is unset.
func TestUnsetTokenIsRandom(t *testing.T) {
	seen := map[string]bool{}
	for _, form := range []string{`"${GONE}"`, `"${EMPTY}"`, `""`, ``} {
		text := "http: {tokens: [{name: ops, role: auditor, token: " + form + "}]}"
		c := parse(t, text, map[string]string{"EMPTY": ""})
		made := c.GeneratedTokens()
		require.Len(t, made, 1, form)
		token := made[0].Token.Reveal()
		require.Regexp(t, "^[0-9a-f]{32}$", token)
		require.False(t, seen[token], "the same token twice")
		seen[token] = true
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "token")
	require.NoError(t, os.WriteFile(secret, []byte("from-file\n"), 0o600))
	path := filepath.Join(dir, "hotline.yaml")
	text := fmt.Sprintf("http: {tokens: [{name: ops, role: agent, token: %q}]}", "file:"+secret)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	c, err := config.Load(path, nil)
	require.NoError(t, err)
	require.Equal(t, "from-file", c.HTTP.Tokens[0].Token.Reveal())

	_, err = config.Load(filepath.Join(dir, "none.yaml"), nil)
	require.ErrorIs(t, err, fs.ErrNotExist)

	require.NoError(t, os.WriteFile(path, []byte("sipp: {}\n"), 0o600))
	_, err = config.Load(path, nil)
	var problems config.Problems
	require.ErrorAs(t, err, &problems)
	require.Equal(t, path, problems[0].File)
	require.True(t, strings.HasPrefix(err.Error(), path+":1:1: sipp: unknown key"), err)
}

func TestTooLarge(t *testing.T) {
	_, err := config.Parse("", []byte(strings.Repeat("# hotline\n", 1<<17)), nil)
	var problems config.Problems
	require.ErrorAs(t, err, &problems)
	require.Equal(t, "at most 1 MiB", problems[0].Want)
}

// However a configuration is shown, its secrets are not.
func TestSecretsAreMasked(t *testing.T) {
	const text = `
calendar: {office: {week: {mon: [08:00-12:00]}, exceptions: [{date: 2026-12-31}]}}
menus:
  main: {kind: lookup, url: "https://crm.example/", token: hidden-c}
http: {tokens: [{name: ops, role: supervisor, token: hidden-a}]}
agents:
  - {id: "1", password: "${P}", skills: {consult: 1, repair: 1, complaint: 1, gas-alarm: 1}}
  - {id: "2", ha1: {md5: 00000000000000000000000000facade}}
`
	c := parse(t, text, map[string]string{"P": "hidden-b"})
	require.Equal(t, "hidden-b", c.Agents[0].Password.Reveal())
	shown := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		shown[verb] = fmt.Sprintf(verb, c) + fmt.Sprintf(verb, *c) +
			fmt.Sprintf(verb, c.Agents[0].Password) + fmt.Sprintf(verb, &c.Agents[0])
	}
	data, err := json.Marshal(c)
	require.NoError(t, err)
	shown["json"] = string(data)
	data, err = yaml.Marshal(c.Agents)
	require.NoError(t, err)
	shown["yaml"] = string(data)
	data, err = yaml.Marshal(c.HTTP.Tokens)
	require.NoError(t, err)
	shown["yaml tokens"] = string(data)
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "a", c.Agents[0].Password, "c", c.Agents)
	core := zapcore.NewCore(zapcore.NewJSONEncoder(zapcore.EncoderConfig{}), zapcore.AddSync(&log), zap.DebugLevel)
	zap.New(core).Info("x", zap.Any("a", c.Agents), zap.Stringer("b", c.Agents[0].Password))
	shown["logs"] = log.String()
	for how, what := range shown {
		require.NotContains(t, what, "hidden", how)
		require.NotContains(t, what, "68696464656e", how)
		require.NotContains(t, what, "facade", how)
	}
	require.Contains(t, shown["json"], `"***"`)
}

// No problem tells a secret, whatever is wrong with it.
func TestProblemsTellNoSecret(t *testing.T) {
	for _, text := range []string{
		`agents: [{id: "1", password: {hidden: x}}]`,
		`agents: [{id: "1", password: [hidden]}]`,
		`agents: [{id: "1", password: !tag hidden}]`,
		`agents: [{id: "1", password: "hidden word"}]`,
		`agents: [{id: "1", password: "hidden${X}"}]`,
		`agents: [{id: "1", password: *hidden}]`,
		`agents: [{id: "1", ha1: hidden}]`,
		`agents: [{id: "1", ha1: [hidden]}]`,
		`agents: [{id: "1", ha1: {md5: hidden}}]`,
		`agents: [{id: "1", ha1: {md5: [hidden]}}]`,
		`agents: [{id: "1", ha1: {md5: "hidden word"}}]`,
		`agents: [{id: "1", password: hidden, ha1: {md5: hidden}}]`,
		`records: postgres://u:hidden@ho st/db`,
		`records: mysql://u:hidden@host/db`,
		`state: redis://:hidden@host`,
		"http: {tokens: [{name: a, role: agent, token: hidden}, {name: b, role: agent, token: hidden}]}",
		"sip: {listen: [\"udp://0.0.0.0:1\"]}\nagents: [{id: \"1\", password: \"hidden\\u0000\"}]",
	} {
		_, err := config.Parse("", []byte(text), nil)
		var problems config.Problems
		require.ErrorAs(t, err, &problems, text)
		require.NotContains(t, err.Error(), "hidden", text)
	}
}

// A thousand agents and as many menus are read in reasonable time, and so are as many mistakes: the
// checks are not quadratic in the file.
func TestManyMistakes(t *testing.T) {
	var b strings.Builder
	b.WriteString("menus:\n")
	for i := range 5000 {
		fmt.Fprintf(&b, "  m%d: {otherwise: {menu: x%d}}\n", i, i)
	}
	start := time.Now()
	_, err := config.Parse("", []byte(b.String()), nil)
	var problems config.Problems
	require.ErrorAs(t, err, &problems)
	require.GreaterOrEqual(t, len(problems), 10000)
	require.Less(t, time.Since(start), time.Minute)
}

func FuzzParse(f *testing.F) {
	reference, err := os.ReadFile("reference.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(reference)
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(archive.Files[0].Data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := config.Parse("f", data, nil)
		if err == nil {
			for _, token := range c.HTTP.Tokens {
				require.NotEmpty(t, token.Token.Reveal())
			}
			for _, a := range c.Agents {
				require.NotEqual(t, a.Password.Reveal() == "", len(a.HA1) == 0, "either, and not both")
			}
			require.NotNil(t, c.Service.Timezone)
			require.Positive(t, c.SIP.MaxCalls)
			require.NotEmpty(t, c.SIP.Listen)
			return
		}
		var problems config.Problems
		if !errors.As(err, &problems) {
			t.Fatalf("not Problems: %v", err)
		}
		require.NotEmpty(t, problems)
		last := 0
		for _, p := range problems {
			require.GreaterOrEqual(t, p.Line, max(last, 1))
			require.LessOrEqual(t, p.Line, strings.Count(string(data), "\n")+strings.Count(string(data), "\r")+
				strings.Count(string(data), "\u0085")+strings.Count(string(data), "\u2028")+strings.Count(string(data), "\u2029")+2)
			require.GreaterOrEqual(t, p.Column, 1)
			require.NotEmpty(t, p.Found)
			require.NotEmpty(t, p.Want)
			require.NotContains(t, p.String(), "\n")
			last = p.Line
		}
	})
}

// Prompts that are not there are told with everything else, each where it is named.
func TestPromptsAreChecked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hotline.yaml")
	require.NoError(t, os.WriteFile(path, []byte(`prompts: {folder: own}
trunks:
  - {name: city, allow: [127.0.0.0/8], numbers: {"96777": {menu: main}}}
menus:
  main:
    prompt: hullo
    keys: {"1": {queue: repair}}
    otherwise: {queue: repare}
queues:
  repair: {wait_prompt: music}
`), 0o600))
	find := func(folder, language string, names ...string) (missing []string, err error) {
		require.Equal(t, "own", folder)
		require.Equal(t, "zh", language)
		if len(names) == 0 {
			return []string{"recorded"}, nil
		}
		return names, nil
	}
	judge := func(c *config.Config) []config.Finding {
		require.Equal(t, "repare", c.Menus["main"].Otherwise.Queue)
		return []config.Finding{{Path: "menus.main.prompt", Found: `no prompt "hullo"`, Want: "another"}}
	}
	_, err := config.Load(path, find, judge)
	var problems config.Problems
	require.ErrorAs(t, err, &problems)
	var got []string
	for _, p := range problems {
		got = append(got, fmt.Sprintf("%d %s: %s", p.Line, p.Path, p.Found))
	}
	require.Equal(t, []string{
		`1 service.language: no prompt "recorded" in this language`,
		`6 menus.main.prompt: no prompt "hullo"`,
		`8 menus.main.otherwise: no queue "repare"`,
		`10 queues.repair.wait_prompt: no prompt "music"`,
	}, got)
	require.Contains(t, problems[3].Want, filepath.Join("own", "zh", "music.wav"))

	broken := func(string, string, ...string) ([]string, error) { return nil, errors.New("own/zh/x.wav: 44100 Hz") }
	_, err = config.Load(path, broken)
	require.ErrorContains(t, err, "1:19: prompts.folder: own/zh/x.wav: 44100 Hz")
}
