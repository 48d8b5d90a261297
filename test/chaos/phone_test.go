package chaos

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"testing"
	"time"
)

const (
	// firstAgentMark is the mark of the first agent; callers' marks are below it.
	firstAgentMark mark = 1 << 20
	// refreshed is how often a phone registers; registerWait is for how long it waits for a node's answer before it turns to
	// the next, as a phone does with the next SRV record (RFC 3263 section 4.3).
	refreshed    = 4 * time.Second
	registerWait = 2 * time.Second
	// agentPatience is for how long an agent says "hello?" into silence before hanging up. It is longer than the program may
	// take to see that a leg has nobody at its other end.
	agentPatience = 45 * time.Second
)

// habits are how an agent takes calls, as shares of all offers; the rest is answered.
type habits struct {
	Refuse, Ignore float64
	// Pickup is at most how long it rings before it is answered, HangUp at most for how long the agent talks: that share of
	// talks, Hasty, the agent ends.
	Pickup, HangUp time.Duration
	Hasty          float64
}

// phone is an agent's telephone: it registers at one of several nodes, in an order of its own, and takes one call at a
// time.
type phone struct {
	e        *endpoint
	id       string
	password string
	mark     mark
	studio   *studio
	diary    *diary
	habits   habits
	random   *rand.Rand
	nodes    []netip.AddrPort // all of them; its own order begins with the one at first, and goes round
	owners   func(netip.Addr) int

	at       int // the node it registers at, of its own order
	first    int // which of the nodes is the first of its order
	sequence int
	regID    string
	live     *phoneLeg
	over     map[string]*phoneLeg // by Call-ID, for what comes late
	moves    int                  // to another node, so far
	busy     int                  // second INVITEs, so far
	granted  bool                 // registered at least once
}

// phoneLeg is a leg at the phone.
type phoneLeg struct {
	leg
	dialog
	server *server
	line   *line
	timers []*time.Timer
	far    netip.AddrPort // of audio
	ended  bool
}

// newPhone starts a phone, which registers at once.
func newPhone(tb testing.TB, p *phone) *phone {
	tb.Helper()
	p.e = newEndpoint(tb)
	p.regID, p.over = token(), make(map[string]*phoneLeg)
	p.e.mu.Lock()
	defer p.e.mu.Unlock()
	p.e.request = p.request
	p.register("")
	return p
}

// register sends a REGISTER, with credentials once it was asked for them.
func (p *phone) register(challenge string) {
	node := p.nodes[p.home()]
	uri := "sip:" + node.String()
	self := fmt.Sprintf("<sip:%s@%s>", p.id, node)
	p.sequence++
	m := &message{method: register, uri: uri, headers: []header{
		{"from", self + ";tag=" + token()},
		{"to", self},
		{"call-id", p.regID},
		{"cseq", fmt.Sprintf("%d %s", p.sequence, register)},
		{"contact", fmt.Sprintf("<sip:%s@%s>", p.id, p.e.self)},
		{"expires", "10"},
	}}
	if challenge != "" {
		m.headers = append(m.headers, header{"authorization", credentials(challenge, p.id, p.password, register, uri)})
	}
	p.e.ask(m, node, "z9hG4bK"+token(), registerWait, func(r *message) {
		switch {
		case r != nil && r.status < 200:
		case r != nil && r.status < 300:
			p.granted = true
			p.e.after(refreshed, func() { p.register("") })
		case r != nil && r.status == 401 && challenge == "":
			p.register(r.get("www-authenticate"))
		default:
			p.at = (p.at + 1) % len(p.nodes)
			p.moves++
			p.e.after(time.Duration(100+p.random.IntN(400))*time.Millisecond, func() { p.register("") })
		}
	})
}

// request serves what comes.
func (p *phone) request(m *message, s *server) {
	l := p.live
	if l == nil || l.CallID != m.get("call-id") {
		l = p.over[m.get("call-id")]
	}
	switch {
	case m.method == ack:
		if l != nil && l.server != nil {
			l.server.acked = true
			l.server.stop()
		}
	case m.method == cancel:
		s.answer(m.response(200, token()))
		if l != nil && !l.ended && l.Answered.IsZero() {
			l.server.answer(l.server.m.response(487, l.tag()))
			p.end(l, endedCancelled)
		}
	case m.method == invite && param(m.get("to"), "tag") == "":
		p.offered(m, s)
	case m.method == "OPTIONS" && l == nil:
		s.answer(m.response(200, token()))
	case l == nil || l.ended:
		s.answer(m.response(481, token()))
	case m.method == bye:
		s.answer(m.response(200, ""))
		p.end(l, endedByFar)
	case m.method == invite || m.method == "UPDATE":
		p.again(l, m, s)
	default:
		s.answer(m.response(200, ""))
	}
}

// again answers an offer within the dialog.
func (p *phone) again(l *phoneLeg, m *message, s *server) {
	r := m.response(200, "", p.contact())
	if m.body != "" || m.method == invite {
		r.body = sdp(l.line.self)
		l.line.talk(audioOf(m.body))
	}
	if uri := uriOf(m.get("contact")); uri != "" {
		l.target = uri
	}
	if m.method == invite {
		l.server = s
	}
	s.answer(r)
}

func (p *phone) contact() header {
	return header{"contact", fmt.Sprintf("<sip:%s@%s>", p.id, p.e.self)}
}

// home is the node that it registers at.
func (p *phone) home() int { return (p.first + p.at) % len(p.nodes) }

// tag is ours.
func (l *phoneLeg) tag() string { return param(l.ours, "tag") }

// offered rings, and does what the agent's habits say. While another leg lives the agent is busy, and the judge will hear
// of it.
func (p *phone) offered(m *message, s *server) {
	tag, audio := token(), audioOf(m.body)
	l := &phoneLeg{
		leg: leg{
			Agent: p.id, CallID: m.get("call-id"), From: userOf(uriOf(m.get("from"))), Owner: p.owners(audio.Addr()), Edge: p.home(),
			Invited: time.Now(), Marks: make(map[mark]int),
		},
		dialog: dialog{
			e: p.e, id: m.get("call-id"), ours: m.get("to") + ";tag=" + tag, theirs: m.get("from"),
			target: uriOf(m.get("contact")), routes: m.all("record-route"),
		},
		server: s, far: audio,
	}
	if p.live != nil {
		p.busy++
		s.answer(m.response(486, tag))
		l.Ended, l.How = time.Now(), endedBusy
		p.diary.leg(l.leg)
		return
	}
	p.live = l
	s.answer(m.response(180, tag, p.contact()))
	if n, err := strconv.Atoi(m.get("expires")); err == nil && n > 0 {
		p.later(l, time.Duration(n)*time.Second, func() { p.refuse(l, 487, endedExpired) })
	}
	after := time.Duration(p.random.Int64N(int64(p.habits.Pickup)))
	switch dice := p.random.Float64(); {
	case dice < p.habits.Refuse:
		p.later(l, after, func() { p.refuse(l, 486, endedRefused) })
	case dice < p.habits.Refuse+p.habits.Ignore:
	default:
		p.later(l, after, func() { p.answer(l) })
	}
}

// later does something about a leg, unless it is over.
func (p *phone) later(l *phoneLeg, d time.Duration, f func()) {
	l.timers = append(l.timers, p.e.after(d, func() {
		if !l.ended {
			f()
		}
	}))
}

func (p *phone) refuse(l *phoneLeg, status int, how string) {
	if l.Answered.IsZero() {
		l.server.answer(l.server.m.response(status, l.tag()))
		p.end(l, how)
	}
}

func (p *phone) answer(l *phoneLeg) {
	line, err := p.studio.open(p.mark)
	if err != nil {
		p.refuse(l, 480, endedRefused)
		return
	}
	l.line, l.Answered = line, time.Now()
	line.listen()
	line.talk(l.far)
	r := l.server.m.response(200, l.tag(), p.contact())
	r.body = sdp(line.self)
	first := l.server
	first.answer(r)
	p.later(l, giveUp, func() {
		if !first.acked {
			p.hangUp(l, endedNoAck)
		}
	})
	if p.random.Float64() < p.habits.Hasty {
		p.later(l, time.Duration(p.random.Int64N(int64(p.habits.HangUp))), func() { p.hangUp(l, endedByPhone) })
	}
	p.hello(l)
}

// hello has the agent hang up who hears nothing for too long.
func (p *phone) hello(l *phoneLeg) {
	p.later(l, time.Second, func() {
		if l.line.silence() > agentPatience {
			p.hangUp(l, endedSilence)
			return
		}
		p.hello(l)
	})
}

func (p *phone) hangUp(l *phoneLeg, how string) {
	l.bye(func(int) {})
	p.end(l, how)
}

// end frees the phone. Late messages of the leg are answered as those of one that is over.
func (p *phone) end(l *phoneLeg, how string) {
	if l.ended {
		return
	}
	l.ended, l.Ended, l.How = true, time.Now(), how
	for _, t := range l.timers {
		t.Stop()
	}
	if !l.Answered.IsZero() {
		l.Gaps, l.Marks, l.Unmarked = l.line.end()
		if l.server.m.method == invite && how != endedNoAck {
			l.server.stop()
		}
	}
	p.live = nil
	p.over[l.CallID] = l
	p.e.after(2*giveUp, func() { delete(p.over, l.CallID) })
	p.diary.leg(l.leg)
}

// finish writes down the leg that still lives, at the end of all.
func (p *phone) finish() {
	p.e.do(func() {
		if l := p.live; l != nil {
			p.end(l, endedRunning)
		}
	})
}
