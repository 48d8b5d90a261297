package testkit

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
)

// Exchange is a carrier's telephone exchange by hand, over UDP: it notes every INVITE that reaches it, answers each with a
// status, and 200 to all else. It sends nothing of its own, neither RTP nor a 200 again. Its methods may be called from any
// goroutine.
type Exchange struct {
	// Port is where on 127.0.0.1 it listens.
	Port int

	tb    testing.TB
	conn  *net.UDPConn
	audio *net.UDPConn // where RTP may come; nobody reads it
	done  sync.WaitGroup

	mu      sync.Mutex
	status  int
	invites []*sipmsg.Request // without those of dialogs, and copies
	more    chan struct{}     // closed and replaced when there is another one
}

// StartExchange opens an exchange's sockets; they are closed with the test. It takes calls.
func StartExchange(tb testing.TB) *Exchange {
	tb.Helper()
	e := &Exchange{
		tb: tb, conn: openUDP(tb, loopback), audio: openUDP(tb, loopback), status: sipmsg.StatusOK, more: make(chan struct{}),
	}
	e.Port = int(addrOf(e.conn).Port())
	e.done.Go(e.serve)
	tb.Cleanup(func() {
		_ = e.conn.Close() // nothing is under way that anybody waits for
		_ = e.audio.Close()
		e.done.Wait()
	})
	return e
}

// Answers sets the status of INVITEs from now on.
func (e *Exchange) Answers(status int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.status = status
}

// Invites are the INVITEs that began a call, in order.
func (e *Exchange) Invites() []*sipmsg.Request {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.invites)
}

// All are Invites once everything was read that had been sent to it before: one of its sockets reads in order.
func (e *Exchange) All() []*sipmsg.Request {
	e.tb.Helper()
	conn := openUDP(e.tb, loopback)
	defer conn.Close() //nolint:errcheck // nothing is under way that anybody waits for
	asked := strings.Join([]string{
		"OPTIONS sip:exchange@127.0.0.1 SIP/2.0", "Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKall", "Max-Forwards: 70",
		"From: <sip:tests@127.0.0.1>;tag=all", "To: <sip:exchange@127.0.0.1>", "Call-ID: " + newToken(), "CSeq: 1 OPTIONS",
		"Content-Length: 0", "", "",
	}, "\r\n")
	err := conn.SetDeadline(time.Now().Add(Patience))
	if err == nil {
		_, err = conn.WriteToUDPAddrPort([]byte(asked), addrOf(e.conn))
	}
	if err == nil {
		_, err = conn.Read(make([]byte, 1<<16))
	}
	if err != nil {
		e.tb.Fatalf("ask the exchange whether it has read all: %v", err)
	}
	return e.Invites()
}

// Await waits until n calls have come in all, and returns the last.
func (e *Exchange) Await(n int) *sipmsg.Request {
	e.tb.Helper()
	limit := time.NewTimer(Patience)
	defer limit.Stop()
	for {
		e.mu.Lock()
		invites, more := e.invites, e.more
		e.mu.Unlock()
		if len(invites) >= n {
			return invites[n-1]
		}
		select {
		case <-more:
		case <-limit.C:
			e.tb.Fatalf("%d calls at the exchange, not %d", len(invites), n)
		}
	}
}

func (e *Exchange) serve() {
	datagram := make([]byte, 1<<16)
	for {
		n, from, err := e.conn.ReadFromUDPAddrPort(datagram)
		if err != nil {
			return // closed
		}
		msg, err := sipmsg.NewParser().ParseSIP(slices.Clone(datagram[:n]))
		if err != nil {
			continue
		}
		req, ok := msg.(*sipmsg.Request)
		if !ok || req.IsAck() || req.Via() == nil || req.To() == nil || req.From() == nil || req.CallID() == nil || req.CSeq() == nil {
			continue
		}
		if text := e.answer(req); text != nil {
			_, _ = e.conn.WriteToUDPAddrPort(text, from) // a lost datagram, which SIP over UDP lives with
		}
	}
}

// answer is the response to a request: the same to each copy of it.
func (e *Exchange) answer(req *sipmsg.Request) []byte {
	status, body := sipmsg.StatusOK, ""
	if req.IsInvite() {
		status = e.note(req)
		if status == sipmsg.StatusOK {
			body = fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %d RTP/AVP %d\r\na=rtpmap:8 PCMA/8000\r\n",
				addrOf(e.audio).Port(), payloadALaw)
		}
	}
	lines := []string{fmt.Sprintf("SIP/2.0 %d Test", status)}
	for _, h := range req.GetHeaders("via") {
		lines = append(lines, "Via: "+h.Value())
	}
	to := req.To().Value()
	if !req.To().Params.Has("tag") {
		to += ";tag=" + req.CallID().Value()[:8]
	}
	return withBody(append(lines, "From: "+req.From().Value(), "To: "+to, "Call-ID: "+req.CallID().Value(),
		"CSeq: "+req.CSeq().Value(), fmt.Sprintf("Contact: <sip:exchange@127.0.0.1:%d>", e.Port)), body)
}

// note enters an INVITE that is no copy, and returns the status that it is answered with.
func (e *Exchange) note(req *sipmsg.Request) int {
	if req.To().Params.Has("tag") {
		return sipmsg.StatusOK
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	same := func(other *sipmsg.Request) bool {
		return other.CallID().Value() == req.CallID().Value() && other.CSeq().SeqNo == req.CSeq().SeqNo
	}
	if !slices.ContainsFunc(e.invites, same) {
		e.invites = append(e.invites, req)
		close(e.more)
		e.more = make(chan struct{})
	}
	return e.status
}

// Number is whom an INVITE calls: the user of its Request-URI.
func Number(invite *sipmsg.Request) string {
	user, _, _ := strings.Cut(invite.Recipient.User, ";")
	return user
}
