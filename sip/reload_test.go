package sip

import (
	"net/netip"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// reload puts settings in force.
func (r *rig) reload(t *testing.T, s Settings) {
	t.Helper()
	put, err := r.Reload(s)
	require.NoError(t, err)
	put()
}

// as is what the rig was made with.
func (r *rig) as() Settings {
	return Settings{Agents: r.o.Agents, Trunks: r.o.Trunks, Queues: r.o.Queues, Dial: r.o.Dial, Alarm: r.o.Alarm}
}

// Settings that are wrong are told before anything has changed.
func TestReloadChecks(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	before, agents := r.plan(), r.registrar.directory.Load()
	for name, change := range map[string]func(s *Settings){
		"dial by no trunk":          func(s *Settings) { s.Dial = []DialRule{rule("1")} },
		"agent without a password":  func(s *Settings) { s.Agents = []AgentOptions{{ID: "8001"}} },
		"agent twice":               func(s *Settings) { s.Agents = append(s.Agents[:1:1], s.Agents...) },
		"an algorithm that is none": func(s *Settings) { s.Agents = []AgentOptions{{ID: "8001", Password: "one", Digest: []string{"rot13"}}} },
	} {
		s := r.as()
		change(&s)
		_, err := r.Reload(s)
		require.Error(t, err, name)
	}
	require.Same(t, before, r.plan())
	require.Same(t, agents, r.registrar.directory.Load())
}

// Numbers and networks of trunks are those of the last reload; a call that is in stays.
func TestReloadTrunks(t *testing.T) {
	t.Parallel()
	legs := make(chan call.Leg, 2)
	r := newRig(t, func(o *Options) { o.OnIncoming = untilOver(legs) })
	p := newPeer(t, "udp", r.udp())
	k := p.dialog(testNumber)
	k.answered()
	leg := next(t, legs)

	s := r.as()
	trunk := s.Trunks[0]
	trunk.Numbers = map[string]call.Next{"96119": {Kind: call.Route, Queue: "gas-alarm"}}
	s.Trunks = []TrunkOptions{trunk}
	r.reload(t, s)
	require.NoError(t, leg.Context().Err())

	gone := p.dialog(testNumber)
	gone.invite()
	gone.ack(p.status("INVITE", 404), "")
	added := p.dialog("96119")
	added.answered()
	next(t, legs)

	trunk.Allow = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	s.Trunks = []TrunkOptions{trunk}
	r.reload(t, s)
	require.NoError(t, leg.Context().Err(), "a call that is in stays")
	stranger := p.dialog("96119")
	stranger.invite()
	stranger.ack(p.status("INVITE", 403), "")
}

// An agent who is added can register; one who is removed, or has another password, has to register anew, and the
// desk is told; all others keep their place, and nonces that they used stay used.
func TestReloadAgents(t *testing.T) {
	t.Parallel()
	r, p := registeredPhone(t, rigT1)
	used := r.registrar.directory.Load().accounts["8001"].counts
	s := r.as()
	s.Agents = []AgentOptions{{ID: "8001", Password: "one"}, {ID: "8002", Password: "two"}}
	r.reload(t, s)
	_, there := r.registrar.lookup("8001")
	require.True(t, there)
	require.True(t, r.registrar.knows("8002"))
	require.Same(t, used, r.registrar.directory.Load().accounts["8001"].counts)

	s.Agents = []AgentOptions{{ID: "8001", Password: "another"}, {ID: "8002", Password: "two"}}
	r.reload(t, s)
	require.Equal(t, "8001 false", next(t, r.flows))
	_, there = r.registrar.lookup("8001")
	require.False(t, there)

	s.Agents = []AgentOptions{{ID: "8001", Password: "one"}, {ID: "8002", Password: "two"}}
	r.reload(t, s)
	p.register(r)
	s.Agents = s.Agents[1:]
	r.reload(t, s)
	require.Equal(t, "8001 false", next(t, r.flows))
	require.False(t, r.registrar.knows("8001"))
	require.Empty(t, r.registrar.told, "nothing is remembered of who is gone")
}

// What an agent's phone may dial is what the last reload says, and what was dialled by a rule counts on.
func TestReloadDial(t *testing.T) {
	t.Parallel()
	narrow := rule("139")
	narrow.AtOnce = 1
	r, p, _ := dialRig(t, TrunkOut{From: "96777"}, narrow)
	first := r.outside(t.Context(), "13912345678")
	inv := p.expect("INVITE", "INVITE")

	s := r.as()
	out := *r.plan().list[0].out
	s.Trunks[0].Out = &out
	s.Queues = []string{"repair"}
	s.Dial = []DialRule{narrow, rule("138")}
	r.reload(t, s)
	refusedFor(t, next(t, r.outside(t.Context(), "13900000000")), call.CauseForbidden)
	require.InDelta(t, 1, r.outcomes("city", dialAtOnce), 0, "the call from before the reload is one of the rule's")
	to, why := r.reach("8001", netip.MustParseAddr("127.0.0.1"), "repair")
	require.Equal(t, call.CauseNone, why)
	require.Equal(t, "repair", to.Queue)

	p.respond(inv, 486, "Busy Here", "x", "")
	refusedFor(t, next(t, first), call.CauseBusy)
	p.expect("ACK", "ACK")
	second := r.outside(t.Context(), "13800000000")
	p.respond(p.expect("INVITE", "INVITE"), 486, "Busy Here", "y", "")
	refusedFor(t, next(t, second), call.CauseBusy)
	p.expect("ACK", "ACK")
	require.Zero(t, r.plan().dials.find("139").underWay)
}

// A rule, and a trunk, that one reload takes away and another puts back count what was called before: the call goes on, and what
// may begin in a minute has begun. Once nothing of it counts it is forgotten.
func TestReloadTwice(t *testing.T) {
	t.Parallel()
	narrow := rule("139")
	narrow.AtOnce, narrow.PerMinute = 1, 1
	r, p, _ := dialRig(t, TrunkOut{From: "96777"}, narrow)
	first := r.outside(t.Context(), "13912345678")
	inv := p.expect("INVITE", "INVITE")

	s := r.as()
	out := *r.plan().list[0].out
	s.Trunks[0].Out = &out
	trunks := s.Trunks
	for range 2 { // as often as one likes
		s.Trunks, s.Dial = nil, nil
		r.reload(t, s)
		r.reload(t, s)
		s.Trunks, s.Dial = trunks, []DialRule{narrow}
		r.reload(t, s)
	}
	refusedFor(t, next(t, r.outside(t.Context(), "13900000000")), call.CauseForbidden)
	require.InDelta(t, 1, r.outcomes("city", dialAtOnce), 0)
	require.Equal(t, 1, r.plan().list[0].calls.now())
	require.Empty(t, r.plan().bygone.uses)
	require.Empty(t, r.plan().bygone.calls)

	p.respond(inv, 486, "Busy Here", "x", "")
	refusedFor(t, next(t, first), call.CauseBusy)
	p.expect("ACK", "ACK")
	s.Trunks, s.Dial = nil, nil
	r.reload(t, s)
	require.Len(t, r.plan().bygone.uses, 1, "a minute is not over")
	s.Trunks, s.Dial = trunks, []DialRule{narrow}
	r.reload(t, s)
	refusedFor(t, next(t, r.outside(t.Context(), "13900000000")), call.CauseForbidden)
	require.InDelta(t, 1, r.outcomes("city", dialRate), 0)

	bare, err := r.newPlan(Settings{}, nil)
	require.NoError(t, err)
	before := r.plan()
	bare.inherit(before, time.Now())
	require.Len(t, bare.bygone.uses, 1)
	bare.inherit(before, time.Now().Add(time.Minute))
	require.Empty(t, bare.bygone.uses)
	require.Empty(t, bare.bygone.calls)
}

// A REGISTER that was judged by the agents before a reload changes nothing: the phone is asked again.
func TestReloadDuringRegister(t *testing.T) {
	t.Parallel()
	r, _ := registeredPhone(t, rigT1)
	before := r.registrar.directory.Load()
	r.reload(t, r.as())
	outcome, refused := r.registrar.apply(before, "8001", wish{}, nil, source{})
	require.Nil(t, refused)
	require.Equal(t, registerStale, outcome)
}

// Under load from all sides, settings are those of one reload.
func TestReloadRace(t *testing.T) {
	t.Parallel()
	r, _ := registeredPhone(t, rigT1)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 100 {
				s := r.as()
				s.Queues = []string{"repair", strconv.Itoa(i)}
				put, err := r.Reload(s)
				if err == nil {
					put()
				}
			}
		})
		all.Go(func() {
			for range 500 {
				if to, _ := r.reach("8001", netip.MustParseAddr("127.0.0.1"), "repair"); r.o.Queues != nil && to.Queue == "" {
					return
				}
				r.known(netip.MustParseAddr("127.0.0.1"))
				r.registrar.lookup("8001")
			}
		})
	}
	all.Wait()
	require.Len(t, r.plan().queues, 2)
	_, there := r.registrar.lookup("8001")
	require.True(t, there)
}
