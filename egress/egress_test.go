package egress_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"hotline/egress"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAllowed(t *testing.T) {
	for text, want := range map[string]bool{
		"127.0.0.1": true, "10.1.2.3": true, "192.168.0.1": true, "203.0.113.5": true, "::1": true,
		"fd12:3456::1": true, "2001:db8::1": true, "::ffff:10.0.0.1": true, "64:ff9b::cb00:7105": true,
		"0.0.0.0": false, "0.1.2.3": false, "::": false, "169.254.169.254": false, "169.254.0.1": false,
		"::ffff:169.254.169.254": false, "::ffff:0.0.0.0": false, "fe80::1": false, "fe80::1%eth0": false,
		"224.0.0.1": false, "239.255.255.255": false, "255.255.255.255": false, "ff02::1": false,
		"100.100.100.200": false, "168.63.129.16": false, "192.0.0.192": false, "fd00:ec2::254": false,
		"fd20:ce::254": false, "64:ff9b::a9fe:a9fe": false, "64:ff9b::6464:64c8": false,
		"64:ff9b::a83f:8110": false, "64:ff9b::": false, "fd00:ec2::23": false, "fec0::1": false,
		// A carrier's or a tunnel's space is as private as 10.0.0.0/8.
		"100.64.0.1": true, "100.127.255.255": true,
		// An IPv4 address in an IPv6 one: public ones may be asked, the neighbourhood may not.
		"2002:cb00:7105::1": true, "::203.0.113.5": true, "::ffff:0:cb00:7105": true, "::ffff:127.0.0.1": true,
		"64:ff9b::7f00:1": false, "64:ff9b::a00:1": false, "64:ff9b::c0a8:1": false, "64:ff9b::ac10:1": false,
		"64:ff9b::6440:1": false, "64:ff9b::e000:1": false, "64:ff9b:1::a9fe:a9fe": false, "64:ff9b:1::7f00:1": false,
		"64:ff9b:1:a00:0:100::": false, "64:ff9b:1:ffff:ffff:ffff:ffff:ffff": false,
		"2002:7f00:1::1": false, "2002:a00:1::1": false, "2002:c0a8:1::1": false, "2002:a9fe:a9fe::": false,
		"2002:6464:64c8::1": false, "2002:e000:1::": false, "2001::1": false, "2001:0:7f00:1::f5ff:fffe": false,
		"::127.0.0.1": false, "::10.0.0.1": false, "::169.254.169.254": false, "::2": false,
		"::ffff:0:a9fe:a9fe": false, "::ffff:0:7f00:1": false,
	} {
		require.Equal(t, want, egress.Allowed(netip.MustParseAddr(text)), text)
	}
	require.False(t, egress.Allowed(netip.Addr{}))
}

func get(t *testing.T, c *egress.Client, url string) (*http.Response, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	resp, err := c.Do(r)
	if err == nil {
		t.Cleanup(func() { require.NoError(t, resp.Body.Close()) })
	}
	return resp, err
}

func newClient(t *testing.T, limit time.Duration) *egress.Client {
	t.Helper()
	c := egress.New(limit)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// What a URL names is looked at when it is an address, before a connection is made: these would otherwise be
// refused or time out, and not with ErrRefused.
func TestNeighbourhoodIsNotAsked(t *testing.T) {
	c := newClient(t, 2*time.Second)
	for _, url := range []string{
		"http://169.254.169.254/latest/meta-data", "http://[::ffff:169.254.169.254]/", "http://0.0.0.0:1/", "http://[::]:1/",
		"http://[fe80::1%25lo]:1/", "http://100.100.100.200/",
	} {
		_, err := get(t, c, url) //nolint:bodyclose // there is none
		require.ErrorIs(t, err, egress.ErrRefused, url)
	}
}

// A redirect is an answer, so nobody is led elsewhere; and a proxy of the environment is not used.
func TestRedirectsAndProxiesAreNotFollowed(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		http.Redirect(w, r, "http://169.254.169.254/", http.StatusFound)
	}))
	t.Cleanup(server.Close)
	t.Setenv("HTTP_PROXY", "http://169.254.0.1:1")
	resp, err := get(t, newClient(t, 0), server.URL) //nolint:bodyclose // get closes it
	require.NoError(t, err)
	require.Equal(t, http.StatusFound, resp.StatusCode)
	require.Equal(t, 1, asked)
}

// A server that never ends costs no more than the limit, and a header without end no memory.
func TestBounds(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/header" {
			w.Header().Set("X", strings.Repeat("x", 100<<10))
			return
		}
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(release) })
	c := newClient(t, 100*time.Millisecond)
	resp, err := get(t, c, server.URL) //nolint:bodyclose // get closes it
	require.NoError(t, err)
	_, err = io.ReadAll(resp.Body)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = get(t, newClient(t, 0), server.URL+"/header") //nolint:bodyclose // there is none
	require.ErrorContains(t, err, "header")
}
