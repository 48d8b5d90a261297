package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"hotline/call"
	"hotline/internal/testkit"
	"hotline/media"
	"hotline/sip"
	"hotline/store/sqlstore"
)

// premises are a hotline's configuration, on loopback; the zero value of a part takes a free one.
type premises struct {
	sip, http, data, ports string
}

const anyPort = "127.0.0.1:0"

// tokens of the premises, by role.
const (
	supervisorToken = "the-supervisors"
	scraperToken    = "the-scrapers"
)

func (s premises) file(t *testing.T) string {
	t.Helper()
	or := func(s *string, d string) {
		if *s == "" {
			*s = d
		}
	}
	or(&s.sip, anyPort)
	or(&s.http, anyPort)
	or(&s.data, filepath.Join(t.TempDir(), "data"))
	if s.ports == "" {
		first := testkit.FreePorts(t, 40)
		s.ports = fmt.Sprintf("%d-%d", first, first+39)
	}
	return write(t, fmt.Sprintf(`
sip: {listen: ["udp://%s", "tcp://%s"]}
media: {ports: %s}
http:
  listen: %s
  tokens:
    - {name: ops, role: supervisor, token: %s}
    - {name: scraper, role: metrics, token: %s}
data: %s
trunks: [{name: city, allow: [127.0.0.0/8], numbers: {"96119": {queue: gas-alarm}, "96777": {menu: main}}}]
agents: [{id: "8003", password: three, skills: {gas-alarm: 5, repair: 1, consult: 1, complaint: 1}}]
`, s.sip, s.sip, s.ports, s.http, supervisorToken, scraperToken, s.data))
}

// serving is a program that serves, and where.
type serving struct {
	*program
	t    *testing.T
	data string
	sip  netip.AddrPort
	http string
}

var (
	serverLine = regexp.MustCompile(`server +(\S+) +over UDP`)
	wallLine   = regexp.MustCompile(`The wall +http://(\S+)/`)
)

// serve serves premises until the test's end.
func serve(t *testing.T) *serving {
	t.Helper()
	s := premises{data: filepath.Join(t.TempDir(), "data")}
	p := start(t, "serve", "--config", s.file(t), "--log-format", "json")
	p.says(t, "Ctrl-C")
	return servingOf(t, p, s.data)
}

// servingOf reads from a program's banner where it serves.
func servingOf(t *testing.T, p *program, data string) *serving {
	t.Helper()
	banner := p.out.String()
	return &serving{
		program: p, t: t, data: data, sip: netip.MustParseAddrPort(serverLine.FindStringSubmatch(banner)[1]),
		http: wallLine.FindStringSubmatch(banner)[1],
	}
}

// get asks for a path, with a token if there is one.
func (s *serving) get(path, token string) (status int, body string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://"+s.http+path, nil)
	require.NoError(s.t, err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	res, err := client.Do(req)
	require.NoError(s.t, err)
	text, err := io.ReadAll(res.Body)
	require.NoError(s.t, err)
	require.NoError(s.t, res.Body.Close())
	return res.StatusCode, string(text)
}

// until waits until a path answers with text.
func (s *serving) until(path, text string) {
	s.t.Helper()
	testkit.Within(s.t, patience, path+" to say "+text, func() bool {
		_, body := s.get(path, supervisorToken)
		return strings.Contains(body, text)
	})
}

// people are an agent who answers at once, and a caller.
type people struct {
	agent, caller *sip.Phone
}

// telephones makes people who ring a hotline at SIP address to. They are gone at the test's end.
func telephones(t *testing.T, to netip.AddrPort) people {
	t.Helper()
	set := phoneSets(t, to)
	agent, err := set().Add(answering("8003", "three"))
	require.NoError(t, err)
	caller, err := set().Add(sip.PhoneOptions{User: "13900001234"})
	require.NoError(t, err)
	return people{agent, caller}
}

// answering is an agent's phone that answers at once.
func answering(id, password string) sip.PhoneOptions {
	return sip.PhoneOptions{
		User: id, Password: password,
		OnIncoming: func(ctx context.Context, in call.Incoming) {
			if in.Leg.Ring() != nil {
				return
			}
			if _, err := in.Leg.Answer(); err != nil {
				return
			}
			select {
			case <-in.Leg.Context().Done():
			case <-ctx.Done():
			}
		},
	}
}

// phoneSets makes sets of phones of the hotline at SIP address to. They are gone at the test's end.
func phoneSets(t *testing.T, to netip.AddrPort) (set func() *sip.Phones) {
	t.Helper()
	first := testkit.FreePorts(t, 40)
	engine, err := media.NewPortable(media.Options{
		Address: to.Addr(), Ports: media.PortRange{Lo: uint16(first), Hi: uint16(first + 39)},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	return func() *sip.Phones {
		p, err := sip.NewPhones(sip.PhonesOptions{
			Address: netip.AddrPortFrom(to.Addr(), 0), Server: to, Engine: engine, T1: 100 * time.Millisecond,
		})
		require.NoError(t, err)
		ran := make(chan error, 1)
		go func() { ran <- p.Run(context.Background()) }()
		t.Cleanup(func() {
			require.NoError(t, p.Close())
			require.NoError(t, <-ran)
		})
		return p
	}
}

// ring has the agent register and the caller call the alarm's number.
func (p people) ring(t *testing.T) call.Leg {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, p.agent.Register(ctx))
	leg, err := p.caller.Dial(ctx, "96119", sip.DialOptions{})
	require.NoError(t, err)
	return leg
}

// TestDrain: from the first signal on /readyz says no, and the live call goes on; when it is over the
// program ends well, and the call's record and recording are there.
func TestDrain(t *testing.T) {
	t.Parallel()
	s := serve(t)
	status, body := s.get("/readyz", "")
	require.Equal(t, http.StatusOK, status, body)
	leg := telephones(t, s.sip).ring(t)
	s.until("/api/v1/calls", `"agent":"8003"`)
	s.stop()
	testkit.Within(t, patience, "/readyz to say no", func() bool {
		status, body = s.get("/readyz", "")
		return status == http.StatusServiceUnavailable
	})
	require.Contains(t, body, "draining")
	status, _ = s.get("/healthz", "")
	require.Equal(t, http.StatusOK, status, "alive nevertheless")
	require.NoError(t, leg.Context().Err(), "the live call goes on")
	leg.Hangup(call.CauseBye)
	require.Equal(t, exitOK, s.code(t), s.err)
	require.NotContains(t, s.err.String(), `"level":"error"`)
	require.NotContains(t, s.err.String(), "13900001234", "numbers are masked")

	r := onlyRecord(t, s.data)
	require.Equal(t, "13900001234", r.From)
	require.Equal(t, "8003", r.Agent)
	require.NotNil(t, r.Ended)
}

// onlyRecord reads the one record that a hotline left behind.
func onlyRecord(t *testing.T, data string) call.Record {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), sqlstore.Options{Path: filepath.Join(data, "hotline.db")})
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	all, _, err := db.List(t.Context(), call.Query{})
	require.NoError(t, err)
	require.Len(t, all, 1)
	return all[0]
}

// TestSecondSignal ends a live call at once.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	s := serve(t)
	leg := telephones(t, s.sip).ring(t)
	s.until("/api/v1/calls", `"agent":"8003"`)
	s.stop()
	s.stop()
	require.Equal(t, exitOK, s.code(t), s.err)
	select {
	case <-leg.Context().Done():
	case <-time.After(patience):
		require.FailNow(t, "the caller was not hung up")
	}
	require.Equal(t, call.ReasonShutdown, onlyRecord(t, s.data).Reason)
}

// TestSignalWithoutCalls ends at once.
func TestSignalWithoutCalls(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.stop()
	require.Equal(t, exitOK, s.code(t), s.err)
}

// TestRoles: the metrics are open to all; a scraper's token opens nothing else.
func TestRoles(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, c := range []struct {
		path, token string
		want        int
	}{
		{"/metrics", "", http.StatusOK},
		{"/metrics", scraperToken, http.StatusOK},
		{"/api/v1/calls", "", http.StatusUnauthorized},
		{"/api/v1/calls", scraperToken, http.StatusForbidden},
		{"/api/v1/agents", scraperToken, http.StatusForbidden},
		{"/api/v1/calls", supervisorToken, http.StatusOK},
	} {
		status, body := s.get(c.path, c.token)
		require.Equal(t, c.want, status, "%s with %q: %s", c.path, c.token, body)
	}
}

// TestPartFails: a part that ends by itself takes the program down with the part's error.
func TestPartFails(t *testing.T) {
	t.Parallel()
	cfg, err := loadConfig(premises{}.file(t))
	require.NoError(t, err)
	a, err := newApp(cfg, zap.NewNop())
	require.NoError(t, err)
	require.NoError(t, a.ua.Close()) // as if its sockets were lost
	err = a.serve(&console{out: io.Discard, err: io.Discard})
	require.ErrorIs(t, err, errEnded)
	require.ErrorContains(t, err, "SIP")
}
