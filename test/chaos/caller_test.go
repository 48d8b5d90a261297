package chaos

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

const (
	// firstWord is for how long a caller's carrier waits for a node's first response before it tries the next.
	firstWord = 2 * time.Second
	// callerSilence is how much silence a caller takes for a dead line.
	callerSilence = 3 * time.Second
	looked        = 100 * time.Millisecond
)

// wish is what a caller calls for.
type wish struct {
	Number  string // dialled
	Key     byte   // pressed once it was answered; noKey: none
	Talk    time.Duration
	Pause   time.Duration // patience: for how long to wait for an agent
	Redials int           // how often to call again when nobody was reached, or the line went dead
}

const noKey = 0xFF

// carrier is whom callers call by: one socket, and a line for each.
type carrier struct {
	e      *endpoint
	studio *studio
	diary  *diary
	nodes  []netip.AddrPort
	calls  map[string]*callerCall // by Call-ID
	marks  mark
	dialed int
}

func newCarrier(tb testing.TB, s *studio, d *diary, nodes []netip.AddrPort) *carrier {
	tb.Helper()
	c := &carrier{e: newEndpoint(tb), studio: s, diary: d, nodes: nodes, calls: make(map[string]*callerCall)}
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	c.e.request = c.request
	return c
}

// dial has a new caller call, at a node first.
func (c *carrier) dial(node int, w wish) {
	c.e.do(func() {
		c.dialed++
		c.attempt(fmt.Sprintf("138%08d", c.dialed), node%len(c.nodes), w)
	})
}

// under reports how many calls are under way.
func (c *carrier) under() (n int) {
	c.e.do(func() {
		for _, call := range c.calls {
			if !call.over {
				n++
			}
		}
	})
	return n
}

// finish writes down the calls that still live, at the end of all.
func (c *carrier) finish() {
	c.e.do(func() {
		for _, call := range c.calls {
			call.end(endedRunning)
		}
	})
}

// callerCall is one attempt of one caller.
type callerCall struct {
	attempt
	dialog
	c      *carrier
	wish   wish
	line   *line
	branch string
	sent   *message
	asked  bool // a CANCEL is out
	over   bool
}

func (c *carrier) attempt(number string, node int, w wish) {
	c.marks++
	line, err := c.studio.open(c.marks)
	if err != nil {
		return // no more sockets: the caller's telephone is broken
	}
	at := c.nodes[node]
	call := &callerCall{
		attempt: attempt{Number: number, Dialled: w.Number, Node: node, Mark: c.marks, Invited: time.Now()},
		dialog: dialog{
			e: c.e, id: token(), ours: fmt.Sprintf("<sip:%s@%s>;tag=%s", number, c.e.self, token()),
			theirs: fmt.Sprintf("<sip:%s@%s>", w.Number, at), target: fmt.Sprintf("sip:%s@%s", w.Number, at),
		},
		c: c, wish: w, line: line, branch: "z9hG4bK" + token(),
	}
	c.calls[call.id] = call
	m := call.request(invite)
	m.headers = append(m.headers, header{"contact", fmt.Sprintf("<sip:%s@%s>", number, c.e.self)})
	m.body = sdp(line.self)
	call.sent = m
	c.e.ask(m, at, call.branch, firstWord, call.heard)
	call.look()
}

// heard takes the responses to the INVITE.
func (call *callerCall) heard(r *message) {
	switch {
	case r == nil:
		call.end(endedNoAnswer)
		call.again()
	case r.status < 200:
		if call.over || call.asked {
			call.cancel()
		} else if r.status > 100 && call.Heard.IsZero() {
			call.Heard = time.Now()
		}
	case r.status < 300:
		call.established(r)
	case !call.over:
		if call.Refused = r.status; call.asked {
			call.end(endedPatience)
			return
		}
		call.end(endedRejected)
		call.again()
	}
}

func (call *callerCall) established(r *message) {
	if call.acknowledging != nil {
		call.e.send(call.acknowledging, call.acknowledged)
		return
	}
	call.theirs = r.get("to")
	if uri := uriOf(r.get("contact")); uri != "" {
		call.target = uri
	}
	routes := r.all("record-route")
	for i := range routes {
		call.routes = append(call.routes, routes[len(routes)-1-i])
	}
	to, err := call.hop()
	if err != nil {
		call.end(endedRejected)
		return
	}
	a := call.message(ack, r.seq())
	a.headers = append([]header{{"via", fmt.Sprintf("SIP/2.0/UDP %s;branch=z9hG4bK%s;rport", call.e.self, token())}, {"max-forwards", "70"}}, a.headers...)
	call.acknowledging, call.acknowledged = a.text(), to
	call.e.send(call.acknowledging, to)
	if call.over || call.asked {
		call.bye(func(int) {})
		call.end(endedPatience)
		return
	}
	call.Answered = time.Now()
	if call.Heard.IsZero() {
		call.Heard = call.Answered
	}
	call.line.listen()
	call.line.talk(audioOf(r.body))
	if call.wish.Key != noKey {
		call.e.after(looked, func() {
			if !call.over {
				call.line.press(call.wish.Key)
			}
		})
	}
}

// look is what the caller does again and again: hear whether an agent is there, and lose patience.
func (call *callerCall) look() {
	call.e.after(looked, func() {
		if call.over {
			return
		}
		now := time.Now()
		if call.Talked.IsZero() && !call.Answered.IsZero() && call.line.heardMark(firstAgentMark) {
			call.Talked = now
		}
		switch {
		case call.asked:
		case !call.Talked.IsZero() && now.Sub(call.Talked) > call.wish.Talk:
			call.hangUp(endedByPhone)
		case call.line.silence() > callerSilence:
			reached := !call.Talked.IsZero()
			call.hangUp(endedSilence)
			if !reached {
				call.again()
			}
		case call.Talked.IsZero() && now.Sub(call.Invited) > call.wish.Pause:
			if !call.Answered.IsZero() {
				call.hangUp(endedPatience)
			} else {
				call.giveUp()
			}
		}
		call.look()
	})
}

func (call *callerCall) hangUp(how string) {
	call.bye(func(int) {})
	call.end(how)
}

// giveUp cancels. A node that says nothing to that is passed over with the next call.
func (call *callerCall) giveUp() {
	call.asked = true
	call.cancel()
	call.e.after(firstWord, func() {
		if !call.over {
			call.end(endedPatience)
			call.again()
		}
	})
}

// cancel sends a CANCEL of the INVITE (RFC 3261 section 9.1).
func (call *callerCall) cancel() {
	if call.e.clients[call.branch+cancel] != nil || call.acknowledging != nil {
		return
	}
	m := &message{method: cancel, uri: call.sent.uri}
	for _, h := range call.sent.headers {
		switch h.name {
		case "from", "to", "call-id":
			m.headers = append(m.headers, h)
		}
	}
	m.headers = append(m.headers, header{"cseq", fmt.Sprintf("%d %s", call.sent.seq(), cancel)})
	call.e.ask(m, call.c.nodes[call.Node], call.branch, giveUp, func(*message) {})
}

// again redials, at the next node.
func (call *callerCall) again() {
	if w := call.wish; w.Redials > 0 {
		w.Redials--
		call.c.attempt(call.Number, (call.Node+1)%len(call.c.nodes), w)
	}
}

// end writes the attempt down.
func (call *callerCall) end(how string) {
	if call.over {
		return
	}
	call.over, call.Ended, call.How = true, time.Now(), how
	call.Gaps, call.Marks, call.Unmarked = call.line.end()
	call.c.diary.attempt(call.attempt)
	call.e.after(2*giveUp, func() { delete(call.c.calls, call.id) })
}

// request serves what comes from the nodes.
func (c *carrier) request(m *message, s *server) {
	call := c.calls[m.get("call-id")]
	switch {
	case m.method == ack:
	case m.method == "OPTIONS" && call == nil:
		s.answer(m.response(200, token()))
	case call == nil || call.over:
		s.answer(m.response(481, token()))
	case m.method == bye:
		s.answer(m.response(200, ""))
		call.end(endedByFar)
		if call.Talked.IsZero() {
			call.again()
		}
	case m.method == invite || m.method == "UPDATE":
		r := m.response(200, "", header{"contact", fmt.Sprintf("<sip:%s@%s>", call.Number, c.e.self)})
		if m.body != "" || m.method == invite {
			r.body = sdp(call.line.self)
			call.line.talk(audioOf(m.body))
		}
		s.answer(r)
	default:
		s.answer(m.response(200, ""))
	}
}
