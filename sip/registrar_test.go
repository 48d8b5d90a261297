package sip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// registrarAgents are the agents of every scenario.
func registrarAgents() []AgentOptions {
	return []AgentOptions{
		{ID: "8001", Password: "one"},
		{ID: "8002", Password: "two", Digest: []string{"sha-256", "md5"}},
		{ID: "8003", Password: "three", Digest: []string{"sha-512-256"}},
		{ID: "8004"},
	}
}

// scenario is a registrar with a phone's memory of challenges, driven by a testdata/register file.
//
//	-- send UDP 192.0.2.7:5071 --   a message, and "Authorization: @digest user=… password=… nc=…"
//	                                (also nonce=N for the Nth challenge's, algorithm=, method=, realm=, qop=, cnonce=, uri=)
//	-- want --                      its response: status, then header lines; * stands for anything, a
//	                                line "-Name" for a header that must not be there
//	-- invite UDP 192.0.2.7:5071 -- the same for authenticate; want is "agent 8001" or a response
//	-- wait 61s --                  time passes
//	-- reach 8001 --                lookup's answer, "gone" for none
//	-- at UDP 192.0.2.7:5071 --     agentAt's answer, "nobody" for none
//	-- closed TCP 192.0.2.7:5071 -- the connection closes
//	-- failed 8001 --               an INVITE over the flow could not be sent
//	-- pings fail --, -- pings answer --
//	-- busy 8001 --, -- idle 8001 -- the agent is on a call, and not any more
//	-- count outcome --             how many REGISTERs had that outcome
//	-- log part of a line --        how many lines of the log have it
//	-- flows --                     all that onFlow was told since the last such line
type scenario struct {
	t      *testing.T
	r      *registrar
	nonces []string
	answer string // of the last send or invite

	logs     *observer.ObservedLogs
	outcomes map[string]int

	mu    sync.Mutex
	deaf  bool
	busy  string
	flows []string
}

func TestRegistrarScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/register/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			require.NoError(t, err)
			synctest.Test(t, func(t *testing.T) { newScenario(t).play(archive) })
		})
	}
}

func newScenario(t *testing.T) *scenario {
	t.Helper()
	core, logs := observer.New(zap.DebugLevel)
	s := &scenario{t: t, logs: logs, outcomes: make(map[string]int)}
	s.r = newRegistrar(registrarOptions{
		realm: "hotline", agents: registrarAgents(), logger: zap.New(core),
		busy:  func(agent string) bool { return agent == s.busy },
		count: func(outcome string) { s.outcomes[outcome]++ },
		ping: func(context.Context, flow) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.deaf {
				return errors.New("no response")
			}
			return nil
		},
		onFlow: func(agent string, up bool) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.flows = append(s.flows, agent+map[bool]string{true: " up", false: " down"}[up])
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.r.run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	return s
}

func (s *scenario) play(archive *txtar.Archive) {
	for i, f := range archive.Files {
		step := fmt.Sprintf("step %d: %s", i+1, f.Name)
		synctest.Wait()
		words := strings.Fields(f.Name)
		body := strings.TrimSpace(string(f.Data))
		switch words[0] {
		case "send":
			req := s.parse(string(f.Data), words[1], words[2])
			s.answer = s.remember(s.r.handle(req, sourceAt(s.t, words[1], words[2])))
		case "invite":
			agent, challenge := s.r.authenticate(s.parse(string(f.Data), words[1], words[2]))
			s.answer = "agent " + agent
			if challenge != nil {
				s.answer = s.remember(challenge)
			}
		case "want":
			requireLike(s.t, body, s.answer, step)
		case "wait":
			d, err := time.ParseDuration(words[1])
			require.NoError(s.t, err, step)
			time.Sleep(d)
		default:
			s.observe(words, body, step)
		}
	}
}

// observe does the steps that are not messages.
func (s *scenario) observe(words []string, body, step string) {
	switch words[0] {
	case "reach":
		got := "gone"
		if f, ok := s.r.lookup(words[1]); ok {
			got = fmt.Sprintf("%s %s %s", f.transport, f.source, f.contact.String())
		}
		require.Equal(s.t, body, got, step)
	case "at":
		got, ok := s.r.agentAt(words[1], netip.MustParseAddrPort(words[2]))
		if !ok {
			got = "nobody"
		}
		require.Equal(s.t, body, got, step)
	case "closed":
		s.r.connClosed(words[1], netip.MustParseAddrPort(words[2]))
	case "failed":
		f, ok := s.r.lookup(words[1])
		require.True(s.t, ok, step)
		s.r.failed(words[1], f)
	case "pings":
		s.mu.Lock()
		s.deaf = words[1] == "fail"
		s.mu.Unlock()
	case "busy":
		s.busy = words[1]
	case "idle":
		s.busy = ""
	case "count":
		require.Equal(s.t, body, strconv.Itoa(s.outcomes[words[1]]), step)
	case "log":
		require.Equal(s.t, body, strconv.Itoa(s.logs.FilterMessage(strings.Join(words[1:], " ")).Len()), step)
	case "flows":
		s.mu.Lock()
		require.Equal(s.t, body, strings.Join(s.flows, "\n"), step)
		s.flows = nil
		s.mu.Unlock()
	default:
		s.t.Fatalf("%s: unknown", step)
	}
}

func sourceAt(t *testing.T, transport, addr string) source {
	t.Helper()
	return source{
		transport: transport, addr: netip.MustParseAddrPort(addr),
		local: netip.MustParseAddrPort("192.0.2.1:5060"),
	}
}

// digestLine is a scenario's Authorization header.
var digestLine = regexp.MustCompile(`(?m)^Authorization: @digest (.*)$`)

// parse makes the request of a scenario's text.
func (s *scenario) parse(text, transport, from string) *sipmsg.Request {
	s.t.Helper()
	method, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	uri, _, _ := strings.Cut(rest, " ")
	text = digestLine.ReplaceAllStringFunc(text, func(line string) string {
		return "Authorization: " + s.credentials(method, append([]string{"uri=" + uri}, strings.Fields(line)[2:]...))
	})
	msg, err := sipmsg.ParseMessage([]byte(strings.ReplaceAll(strings.TrimSpace(text), "\n", "\r\n") + "\r\n\r\n"))
	require.NoError(s.t, err)
	req, ok := msg.(*sipmsg.Request)
	require.True(s.t, ok)
	req.SetTransport(transport)
	req.SetSource(from)
	return req
}

// credentials are what a phone would send for key=value words.
func (s *scenario) credentials(method string, words []string) string {
	s.t.Helper()
	v := map[string]string{
		"nc": "1", "nonce": strconv.Itoa(len(s.nonces)), "algorithm": "MD5", "method": method,
		"realm": "hotline", "qop": "auth", "cnonce": "0a4f113b", "uri": "sip:h",
	}
	for _, w := range words {
		key, value, _ := strings.Cut(w, "=")
		v[key] = value
	}
	nonce := v["nonce"]
	if n, err := strconv.Atoi(nonce); err == nil {
		require.LessOrEqual(s.t, n, len(s.nonces))
		require.Positive(s.t, n)
		nonce = s.nonces[n-1]
	}
	nc, err := strconv.Atoi(v["nc"])
	require.NoError(s.t, err)
	chal := &digest.Challenge{Realm: v["realm"], Nonce: nonce, Algorithm: v["algorithm"]}
	if v["qop"] != "none" {
		chal.QOP = []string{v["qop"]}
	}
	c, err := digest.Digest(chal, digest.Options{
		Method: v["method"], URI: v["uri"], Count: nc, Cnonce: v["cnonce"],
		Username: v["user"], Password: v["password"],
	})
	require.NoError(s.t, err)
	return c.String()
}

// remember keeps a challenge's nonce and returns the response as text.
func (s *scenario) remember(res *sipmsg.Response) string {
	s.t.Helper()
	require.NotNil(s.t, res)
	if h := res.GetHeader("WWW-Authenticate"); h != nil {
		c, err := digest.ParseChallenge(h.Value())
		require.NoError(s.t, err)
		s.nonces = append(s.nonces, c.Nonce)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%d\n", res.StatusCode)
	for _, h := range res.Headers() {
		fmt.Fprintf(&b, "%s: %s\n", h.Name(), h.Value())
	}
	return b.String()
}

// requireLike checks each line of want to be in got, and the status to be its first; headers named
// in want must be there as often as want says.
func requireLike(t *testing.T, want, got, step string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(got), "\n")
	count := make(map[string]int)
	for i, w := range strings.Split(want, "\n") {
		if name, absent := strings.CutPrefix(w, "-"); absent {
			require.NotContains(t, got, "\n"+name+": ", step)
			continue
		}
		pattern := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(w), `\*`, ".*") + "$")
		if i == 0 {
			require.Regexp(t, pattern, lines[0], "%s: %s", step, got)
			continue
		}
		// The nth line of a name in want is the nth of that name in got.
		name, _, _ := strings.Cut(w, ":")
		same := headerLines(lines, name)
		require.Greater(t, len(same), count[name], "%s: no %s in %s", step, w, got)
		require.Regexp(t, pattern, same[count[name]], "%s: %s", step, got)
		count[name]++
	}
	for name, n := range count {
		require.Len(t, headerLines(lines, name), n, "%s: %s in %s", step, name, got)
	}
}

func headerLines(lines []string, name string) []string {
	var same []string
	for _, l := range lines {
		if strings.HasPrefix(l, name+": ") {
			same = append(same, l)
		}
	}
	return same
}
