package sip

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// spoken is a message of a SIP Call-ID.
func spoken(method, sipCallID string, headers ...string) []byte {
	return []byte(strings.Join(append([]string{method + " sip:x@h SIP/2.0", "Call-ID: " + sipCallID}, headers...), "\r\n") + "\r\n\r\n")
}

// newTestLadder is one whose dialogs are alive while the map has them.
func newTestLadder(alive ...string) (*ladder, *traces) {
	s := newTraces()
	ids := make(map[string]struct{})
	for _, id := range alive {
		ids[id] = struct{}{}
	}
	return newLadder(s.take, func() map[string]struct{} { return ids }), s
}

func TestLadderIsBounded(t *testing.T) {
	t.Parallel()
	l, s := newTestLadder()
	l.begin("s1", "c1", "8001", true)
	for range ladderMessages + 10 {
		l.saw(crossing{data: spoken("INFO", "s1"), at: time.Now(), received: true})
	}
	l.begin("s2", "c2", "8001", true)
	long := "X: " + strings.Repeat("x", ladderHead/2)
	for range ladderOctets/ladderHead*2 + 10 {
		l.saw(crossing{data: spoken("INFO", "s2", long), at: time.Now()})
	}
	l.close()
	l.saw(crossing{data: spoken("INVITE", "s3"), at: time.Now(), opens: true})
	require.Empty(t, l.tracks)
	many := s.of("c1")
	require.Len(t, many, ladderMessages+1)
	require.Equal(t, "8001 <- omitted 10", rungs(many)[ladderMessages])
	octets := 0
	for _, m := range s.of("c2") {
		octets += len(m.Head)
	}
	require.LessOrEqual(t, octets, ladderOctets)
	require.Positive(t, s.of("c2")[len(s.of("c2"))-1].Omitted)
}

// INVITEs that no call claims are bounded in number and in what is kept of each.
func TestLadderUnclaimedAreBounded(t *testing.T) {
	t.Parallel()
	l, s := newTestLadder()
	invite := func(id string) {
		l.saw(crossing{data: spoken("INVITE", id), at: time.Now(), received: true, opens: true})
	}
	for i := range unclaimedTracks + 100 {
		invite(fmt.Sprint("s", i))
	}
	require.Len(t, l.tracks, unclaimedTracks)
	last := fmt.Sprint("s", unclaimedTracks+99)
	for range unclaimedMessages {
		invite(last)
	}
	l.belongs("s0", "c0") // forgotten
	l.name(last, call.Incoming{From: "1390000"})
	l.belongs(last, "c1")
	for range 3 {
		l.saw(crossing{data: spoken("ACK", last), at: time.Now(), received: true})
	}
	l.close()
	require.Empty(t, s.of("c0"))
	require.Len(t, s.of("c1"), unclaimedMessages+3+1)
	require.Len(t, s.byCall, 1)
}

// A head that is too long is cut between lines; line ends, names and folds are taken as RFC 3261 section
// 7.3.1 allows them; what is not UTF-8 is made so.
func TestLadderHeads(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		data, head, body string
	}{
		"plain":         {"BYE sip:x SIP/2.0\r\nCall-ID: s1\r\n\r\n", "BYE sip:x SIP/2.0\r\nCall-ID: s1", ""},
		"compact":       {"BYE sip:x SIP/2.0\r\ni:s1\r\nc: text/plain\r\n\r\nhello", "BYE sip:x SIP/2.0\r\ni:s1\r\nc: text/plain", "text/plain, 5 octets"},
		"folded":        {"BYE sip:x SIP/2.0\r\ncAll-Id :\r\n\t s1\r\nTo: x\r\n\r\n", "BYE sip:x SIP/2.0\r\ncAll-Id :\r\n\t s1\r\nTo: x", ""},
		"leading lines": {"\r\n\r\nBYE sip:x SIP/2.0\r\nCall-ID: s1\r\n\r\n", "BYE sip:x SIP/2.0\r\nCall-ID: s1", ""},
		"no end":        {"BYE sip:x SIP/2.0\r\nCall-ID: s1", "BYE sip:x SIP/2.0\r\nCall-ID: s1", ""},
		"bad UTF-8":     {"BYE sip:x SIP/2.0\r\nCall-ID: s1\r\nX: \xff\r\n\r\n", "BYE sip:x SIP/2.0\r\nCall-ID: s1\r\nX: \uFFFD", ""},
		"long": {
			"BYE sip:x SIP/2.0\r\nCall-ID: s1\r\nX: " + strings.Repeat("x", ladderHead) + "\r\n\r\n",
			"BYE sip:x SIP/2.0\r\nCall-ID: s1\r\n(cut: 4131 octets in all)", "",
		},
		"another's":   {"BYE sip:x SIP/2.0\r\nCall-ID: s2\r\n\r\n", "", ""},
		"empty":       {"BYE sip:x SIP/2.0\r\nCall-ID:\r\nTo: s1\r\n\r\n", "", ""},
		"in a body":   {"BYE sip:x SIP/2.0\r\n\r\nCall-ID: s1\r\n\r\n", "", ""},
		"no message":  {"\r\n\r\n", "", ""},
		"just a name": {"Call-ID\r\n:s1\r\n", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, s := newTestLadder()
			l.begin("s1", "c1", "8001", true)
			l.saw(crossing{data: []byte(c.data), at: time.Now()})
			l.close()
			got := s.of("c1")
			if c.head == "" {
				require.Empty(t, got)
				return
			}
			require.Len(t, got, 1)
			require.Equal(t, c.head, got[0].Head)
			require.Equal(t, c.body, got[0].Body)
		})
	}
}

// Nothing that comes from the net makes the reading of a head panic, or lets credentials through.
func FuzzLadderHead(f *testing.F) {
	f.Add([]byte("BYE sip:x SIP/2.0\r\nCall-ID: s1\r\nAuthorization: Digest x\r\n y\r\n\r\nbody"))
	f.Add([]byte("\r\nINVITE\ni:\n s1\nproxy-authorization\t:\n:"))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, s := newTestLadder()
		l.begin("s1", "c1", "8001", true)
		l.saw(crossing{data: append(data, "\r\nAuthorization: Basic c2VjcmV0\r\n fold: c2VjcmV0\r\n\r\n"...), opens: true})
		l.close()
		if strings.Contains(string(data), "c2VjcmV0") || strings.Contains(string(data), "\r\n\r\n") {
			return
		}
		for _, m := range s.of("c1") {
			require.NotContains(t, m.Head, "c2VjcmV0")
			require.LessOrEqual(t, len(m.Head), ladderHead+64)
		}
	})
}

// A leg that moves to another call leaves what it said with the old one, at once; the rest is the new one's.
func TestLadderMovesWithItsLeg(t *testing.T) {
	t.Parallel()
	l, s := newTestLadder()
	l.begin("s1", "c1", "8001", true)
	l.saw(crossing{data: spoken("INVITE", "s1"), at: time.Now()})
	l.belongs("s1", "c1")
	require.Empty(t, s.of("c1"))
	l.belongs("s1", "c2")
	require.Equal(t, []string{"8001 -> INVITE"}, rungs(s.of("c1")))
	l.saw(crossing{data: spoken("REFER", "s1"), at: time.Now(), received: true})
	l.close()
	require.Len(t, s.of("c1"), 1)
	require.Equal(t, []string{"8001 <- REFER"}, rungs(s.of("c2")))
}

// A ladder waits for stragglers: it goes out when its dialog is over and nothing came for a while.
func TestLadderWaitsForStragglers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, s := newTestLadder("alive")
		for _, id := range []string{"alive", "over"} {
			l.begin(id, "c-"+id, "8001", true)
			l.saw(crossing{data: spoken("INVITE", id), at: time.Now()})
		}
		ctx := t.Context()
		go func() { _ = l.run(ctx) }()
		time.Sleep(ladderQuiet - time.Second)
		l.saw(crossing{data: spoken("BYE", "over"), at: time.Now()})
		time.Sleep(ladderQuiet - time.Second)
		require.Empty(t, s.of("c-over"))
		time.Sleep(2 * time.Second)
		require.Len(t, s.of("c-over"), 2)
		time.Sleep(time.Hour)
		require.Empty(t, s.of("c-alive"))
	})
}

// Without Options.Trace nothing is kept.
func TestLadderOff(t *testing.T) {
	t.Parallel()
	var l *ladder
	l.begin("s1", "c1", "8001", true)
	l.name("s1", call.Incoming{})
	l.belongs("s1", "c1")
	l.saw(crossing{data: spoken("INVITE", "s1"), opens: true})
	require.NoError(t, l.run(t.Context()))
	l.close()
	r, k, leg, _ := up(t, true)
	leg.Belongs("c1")
	require.Empty(t, r.Ladder("c1"))
	k.bye()
}

// When the user agent closes, ladders go out at once, the BYE of their legs in them.
func TestLadderAtClose(t *testing.T) {
	t.Parallel()
	legs := make(chan call.Leg, 1)
	s := newTraces()
	r := newRig(t, func(o *Options) { o.OnIncoming, o.Trace = owned(legs), s.take })
	k := newPeer(t, "udp", r.udp()).dialog(testNumber)
	k.answered()
	next(t, legs)
	closed := make(chan error, 1)
	go func() { closed <- r.Close() }()
	k.p.respond(k.p.expect("BYE", "BYE"), 200, "OK", "", "")
	require.NoError(t, next(t, closed))
	got := rungs(s.of("c1"))
	require.Equal(t, []string{"13900001234 -> BYE", "13900001234 <- 200 OK"}, got[len(got)-2:])
}

// What leaves over a connection that we opened is traced as what comes over others: here the BYE to a caller whose connection
// is gone.
func TestLadderOverANewConnection(t *testing.T) {
	t.Parallel()
	legs := make(chan call.Leg, 1)
	r, s := tracedRig(t, func(o *Options) { o.OnIncoming = owned(legs) })
	var lc net.ListenConfig
	home, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, home.Close()) }()
	k := newPeer(t, "tcp", r.tcp()).dialog(testNumber)
	k.seq, k.branch = 1, newBranch()
	contact := func(msg string) string {
		return strings.Replace(msg, "<sip:caller@"+k.p.addr()+">", "<sip:caller@"+home.Addr().String()+";transport=tcp>", 1)
	}
	k.p.write(contact(k.message("INVITE", 1, k.branch, sdpGood, sdpHeader)))
	k.toTag = k.p.status("INVITE", 200).tag("to")
	k.p.write(contact(k.message("ACK", 1, newBranch(), "")))
	leg := next(t, legs)
	require.Eventually(t, func() bool { return len(r.Ladder("c1")) >= 4 }, testWait, time.Millisecond)
	gone := netip.MustParseAddrPort(k.p.addr())
	require.NoError(t, k.p.conn.Close())
	require.Eventually(t, func() bool { return r.conns.of(transportTCP, gone) == nil }, testWait, time.Millisecond)
	leg.Hangup(call.CauseBye)
	c, err := home.Accept()
	require.NoError(t, err)
	p := &peer{t: t, conn: c, in: bufio.NewReader(c), to: r.tcp()}
	p.respond(p.expect("BYE", "BYE"), 200, "OK", "", "")
	s.await(t, 6)
	got := s.of("c1")
	require.Equal(t, []string{"13900001234 -> BYE", "13900001234 <- 200 OK"}, rungs(got)[4:])
	require.Equal(t, home.Addr().String(), got[4].Remote.String())
	require.Equal(t, transportTCP, got[4].Transport)
}
