package egress_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/egress"
)

// falseResolver has every name mean what is stored in the answer at that moment, for no time at all.
func falseResolver(t *testing.T) *atomic.Pointer[[]netip.Addr] {
	t.Helper()
	var answer atomic.Pointer[[]netip.Addr]
	before := net.DefaultResolver
	t.Cleanup(func() { net.DefaultResolver = before })
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go resolve(ours, *answer.Load())
		return theirs, nil
	}}
	return &answer
}

// resolve answers one question (RFC 1035 section 4), framed as over TCP (section 4.2.2): those of AAAA with nothing.
func resolve(conn net.Conn, to []netip.Addr) {
	defer func() { _ = conn.Close() }()
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return
	}
	query := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(conn, query); err != nil {
		return
	}
	const header, typeA = 12, 1
	question := header + bytes.IndexByte(query[header:], 0) + 1 // to the type
	if binary.BigEndian.Uint16(query[question:]) != typeA {
		to = nil
	}
	reply := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, byte(len(to)), 0, 0, 0, 0}, query[header:question+4]...)
	for _, a := range to {
		reply = append(reply, 0xC0, header, 0, typeA, 0, 1, 0, 0, 0, 0, 0, 4)
		reply = append(reply, a.AsSlice()...)
	}
	_, _ = conn.Write(binary.BigEndian.AppendUint16(nil, uint16(len(reply)))) //nolint:gosec // far shorter
	_, _ = conn.Write(reply)
}

// A name that means the operator's server first and the machine's neighbourhood then (DNS rebinding) leads nowhere
// then, and one that means both at once leads to the server alone.
func TestNamesThatMeanTwoThings(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(server.Close)
	at, err := url.Parse(server.URL)
	require.NoError(t, err)
	names := falseResolver(t)
	means := func(text ...string) {
		addrs := make([]netip.Addr, len(text))
		for i, a := range text {
			addrs[i] = netip.MustParseAddr(a)
		}
		names.Store(&addrs)
	}
	c := newClient(t, 5*time.Second)
	ask := func() error {
		_, err := get(t, c, "http://lookup.example.:"+at.Port()+"/") //nolint:bodyclose // get closes it
		require.NoError(t, c.Close())                                // so that the next asks for the name again
		return err
	}
	means("127.0.0.1")
	require.NoError(t, ask())
	means("169.254.169.254")
	require.ErrorIs(t, ask(), egress.ErrRefused)
	means("169.254.169.254", "127.0.0.1", "0.0.0.0")
	require.NoError(t, ask())
	means("0.0.0.0", "169.254.169.254")
	require.ErrorIs(t, ask(), egress.ErrRefused)
	require.EqualValues(t, 2, asked.Load())
}
