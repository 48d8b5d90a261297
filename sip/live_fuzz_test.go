package sip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// live is a user agent that lives through all inputs of a fuzz target, and the one phone that speaks to it. The
// phone answers what it is asked with 200, and hands on the responses it gets.
type live struct {
	*UA
	engine    *fakeEngine
	conn      *net.UDPConn
	responses chan wire
	panics    atomic.Int64
	inputs    int
	heap      uint64 // after the first inputs
}

// newLive runs one that takes calls to testNumber, answers them and agrees to every re-INVITE. Nothing is remembered
// of a transaction once it is answered, as of strangers, so that inputs without end need no memory.
func newLive(f *testing.F) *live {
	f.Helper()
	l := &live{engine: &fakeEngine{}, responses: make(chan wire, 256)}
	loopback := netip.MustParsePrefix("127.0.0.0/8")
	o := Options{
		Listen: []Listener{{Network: "udp", Address: netip.MustParseAddrPort("127.0.0.1:0")}},
		Engine: l.engine, T1: 2 * time.Millisecond, OnIncoming: agree,
		Trunks:  []TrunkOptions{{Name: "city", Allow: []netip.Prefix{loopback}, Numbers: map[string]call.Next{testNumber: {}, "user": {}}}},
		OnPanic: func(string, any) { l.panics.Add(1) },
		limits:  defaultLimits(),
	}
	o.limits.each, o.limits.eachBurst, o.limits.all, o.limits.allBurst = 1<<20, 1<<20, 1<<20, 1<<20
	ua, err := New(o)
	require.NoError(f, err)
	l.UA = ua
	ua.known = func(netip.Addr) bool { return false }
	post := &postman{PacketConn: ua.listeners[0].packet}
	ua.listeners[0].packet = post
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(ua.Addrs()[0]))
	require.NoError(f, err)
	l.conn = conn
	own, ok := conn.LocalAddr().(*net.UDPAddr)
	require.True(f, ok)
	post.peer.Store(own)
	var both sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	both.Go(func() { _ = ua.Run(ctx) }) // it ends by cancel
	both.Go(l.listen)
	f.Cleanup(func() {
		cancel()
		<-ua.closed
		_ = conn.Close() // ends listen
		both.Wait()
	})
	return l
}

// agree answers a call, and every re-INVITE in it, and waits for its end.
func agree(_ context.Context, in call.Incoming) {
	var answers sync.WaitGroup
	defer func() {
		in.Leg.Attach(nil) // nothing begins after this
		answers.Wait()
	}()
	in.Leg.Attach(func(c call.Command) bool {
		re, ok := c.(call.Reoffered)
		if ok {
			answers.Go(func() { _, _ = re.Accept() }) // an error is as good as an answer here
		}
		return ok
	})
	if _, err := in.Leg.Answer(); err == nil {
		<-in.Leg.Context().Done()
	}
}

// listen is the phone's ear.
func (l *live) listen() {
	buf := make([]byte, 1<<16)
	for {
		n, err := l.conn.Read(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		w := parseWire(string(buf[:n]), time.Now())
		if strings.HasPrefix(w.start, "SIP/") {
			select {
			case l.responses <- w:
			default: // nobody waits for so many
			}
			continue
		}
		if w.method() != "ACK" {
			l.say("SIP/2.0 200 OK\r\nVia: " + w.header("via") + "\r\nFrom: " + w.header("from") + "\r\nTo: " + w.header("to") +
				"\r\nCall-ID: " + w.header("call-id") + "\r\nCSeq: " + w.header("cseq") + "\r\nContent-Length: 0\r\n\r\n")
		}
	}
}

func (l *live) say(msg string) { _, _ = io.WriteString(l.conn, msg) } // what is lost is missed by alive

// message is a request of the phone.
func (l *live) message(method string, seq int, id, branch, toTag, body string) string {
	to := "<sip:96777@h>"
	if toTag != "" {
		to += ";tag=" + toTag
	}
	return fmt.Sprintf("%s sip:96777@h SIP/2.0\r\nVia: SIP/2.0/UDP h;rport;branch=%s\r\nFrom: <sip:a@h>;tag=1\r\nTo: %s\r\n"+
		"Call-ID: %s\r\nCSeq: %d %s\r\nContact: <sip:a@%s>\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s",
		method, branch, to, id, seq, method, l.conn.LocalAddr(), len(body), body)
}

// alive requires that an OPTIONS is answered, and returns the other responses that came before that.
func (l *live) alive(t *testing.T) (others []wire) {
	t.Helper()
	id := newID()
	deadline := time.After(testWait)
	for again := time.NewTicker(time.Second); ; {
		l.say(l.message("OPTIONS", 1, id, newBranch(), "", ""))
		for answered := false; !answered; {
			select {
			case w := <-l.responses:
				if w.header("call-id") == id {
					again.Stop()
					return others
				}
				others = append(others, w)
			case <-again.C: // lost
				answered = true
			case <-deadline:
				require.FailNow(t, "OPTIONS not answered")
			}
		}
	}
}

// bounded requires after each thousand inputs that they left nothing behind.
func (l *live) bounded(t *testing.T) {
	t.Helper()
	require.Zero(t, l.panics.Load())
	const every, slack = 1000, 32 << 20
	if l.inputs++; l.inputs%every != 0 {
		return
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	if l.heap == 0 {
		l.heap = m.HeapAlloc
	}
	require.Less(t, m.HeapAlloc, l.heap+slack)
	require.Less(t, runtime.NumGoroutine(), 500)
}

// settled requires that no call is left, once the inputs so far are over.
func (l *live) settled(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool { return l.calls.total() == 0 && len(l.legs.all()) == 0 }, testWait, time.Millisecond)
	for _, s := range l.engine.opened() {
		<-s.closed
	}
	l.engine.mu.Lock()
	l.engine.streams = nil
	l.engine.mu.Unlock()
}

// FuzzWholeMessage sends whatever comes to a live user agent, which must go on.
func FuzzWholeMessage(f *testing.F) {
	for _, msg := range torture(f) {
		f.Add(msg)
	}
	l := newLive(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<15 {
			return
		}
		l.say(string(data))
		for _, w := range l.alive(t) {
			l.hangUp(w)
		}
		l.bounded(t)
		for _, leg := range l.legs.all() { // the answer may be on its way
			leg.Hangup(call.CauseBye)
		}
		l.settled(t)
	})
}

// hangUp ends what an answered INVITE began.
func (l *live) hangUp(w wire) {
	if strings.HasPrefix(w.start, "SIP/2.0 2") && w.method() == "INVITE" {
		l.say(l.message("BYE", 1<<30, w.header("call-id"), newBranch(), w.tag("to"), ""))
	}
}

// sequenced are the methods that a sequence is made of.
var sequenced = []string{"INVITE", "ACK", "BYE", "CANCEL", "INVITE", "UPDATE", "PRACK", "INFO", "OPTIONS", "REFER"}

// step sends one request of a sequence, made by two octets: the method, where it belongs, how it is numbered, and
// what it bears.
func (s *sequence) step(a, b byte) {
	method := sequenced[int(a)%len(sequenced)]
	how := int(a) / len(sequenced)
	branch, tag := newBranch(), s.tag
	if how&1 != 0 || method == "CANCEL" {
		branch = s.branch
	}
	if how&2 != 0 {
		tag = ""
	}
	if how&4 != 0 {
		tag = "wrong"
	}
	switch b & 3 {
	case 0:
		s.seq++
	case 1:
		s.seq += 100
	case 2:
		s.seq = max(s.seq-1, 1)
	}
	body := []string{"", sdpGood, sdpHold, sdpNone, sdpBad}[int(b>>2)%5]
	if method == "INVITE" {
		s.branch = branch
	}
	s.l.say(s.l.message(method, s.seq, s.id, branch, tag, body))
}

// sequence is one dialog, more or less.
type sequence struct {
	l               *live
	id, branch, tag string
	seq             int
	answered        map[int]bool // CSeqs of INVITEs that got a 2xx
}

// FuzzSequence sends requests in and out of dialogs in any order, and then hangs up: no leg, stream or goroutine
// may be left.
func FuzzSequence(f *testing.F) {
	for _, s := range []string{"\x00\x04\x01\x07\x02\x00", "\x00\x04\x03\x07", "\x00\x04\x01\x03\x04\x08\x01\x03\x02\x00", "\x00\x00\x01\x07", "\x02\x02\x08\x00\x09\x00"} {
		f.Add([]byte(s))
	}
	l := newLive(f)
	f.Fuzz(func(t *testing.T, steps []byte) {
		s := &sequence{l: l, id: newID(), branch: newBranch(), answered: make(map[int]bool)}
		const most = 64
		for steps = steps[:min(len(steps), most)]; len(steps) > 1; steps = steps[2:] {
			s.step(steps[0], steps[1])
			if len(steps)%4 < 2 { // some follow each other closely
				s.learn(l.alive(t))
			}
		}
		s.learn(l.alive(t))
		for seq := range s.answered { // or each waits for 64·T1
			l.say(l.message("ACK", seq, s.id, newBranch(), s.tag, sdpGood))
		}
		for _, leg := range l.legs.all() {
			leg.Hangup(call.CauseBye)
		}
		l.settled(t)
		l.bounded(t)
	})
}

// learn takes the dialog's tag from what was answered.
func (s *sequence) learn(answers []wire) {
	for _, w := range answers {
		if w.header("call-id") == s.id && w.tag("to") != "" && w.method() == "INVITE" {
			s.tag = w.tag("to")
			var seq int
			if _, err := fmt.Sscan(w.header("cseq"), &seq); err == nil && strings.HasPrefix(w.start, "SIP/2.0 2") {
				s.answered[seq] = true
			}
		}
	}
}
