package sip

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// referBench is an agent's phone in a call with the hotline, and another call of it with a colleague.
func referBench(t *testing.T, transport string) (b *phoneBench, p *Phone, mine call.Leg, in call.Incoming, commands chan call.Command) {
	t.Helper()
	b = newPhoneBench(t, transport, Options{})
	p = b.add(b.phones(b.hotline.Addrs()[0]), PhoneOptions{User: "8001", Password: "one"})
	require.NoError(t, p.Register(t.Context()))
	require.Equal(t, "8001 true", next(t, b.flows))
	mine, in, commands = b.dials(p, "96777")
	return b, p, mine, in, commands
}

// dials has a phone dial a number; the hotline answers, and what the call's owner is asked goes to commands.
func (b *phoneBench) dials(p *Phone, number string) (call.Leg, call.Incoming, chan call.Command) {
	b.t.Helper()
	commands := make(chan call.Command, 16)
	owned := make(chan call.Incoming, 1)
	go func() {
		in := <-b.calls
		in.Leg.Attach(func(c call.Command) bool {
			commands <- c
			return true
		})
		_, _ = in.Leg.Answer() // whether it came is seen at the phone
		owned <- in
	}()
	l, err := p.Dial(b.t.Context(), number, DialOptions{})
	require.NoError(b.t, err)
	return l, next(b.t, owned), commands
}

// referring sends a REFER in the background.
func referring(p *Phone, l call.Leg, to string, replaces call.Leg) <-chan referOutcome {
	out := make(chan referOutcome, 1)
	go func() {
		done, err := p.Refer(l, to, replaces)
		out <- referOutcome{done, err}
	}()
	return out
}

type referOutcome struct {
	done <-chan int
	err  error
}

// A phone transfers blind, and hears how it ended; its call may be over by then.
func TestPhoneRefersBlind(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		t.Helper()
		_, p, mine, in, commands := referBench(t, transport)
		for _, hangup := range []bool{false, true} {
			out := referring(p, mine, "8002", nil)
			asked, ok := next(t, commands).(call.Referred)
			require.True(t, ok)
			require.Equal(t, call.Next{Kind: call.Wait, Agent: "8002", Once: true}, asked.To)
			asked.Referral.Accept()
			got := next(t, out)
			require.NoError(t, got.err)
			asked.Referral.Ringing()
			if hangup {
				asked.Referral.Done(call.CauseNone)
				in.Leg.Hangup(call.CauseBye)
				require.Equal(t, 200, next(t, got.done))
				require.Equal(t, call.CauseBye, ended(t, mine).Why)
				continue
			}
			_, err := p.Refer(mine, "8002", nil)
			require.ErrorIs(t, err, errReferring)
			asked.Referral.Done(call.CauseNoAnswer)
			require.Equal(t, 480, next(t, got.done))
			_, more := <-got.done
			require.False(t, more)
			subscriptionOver(t, in.Leg)
		}
	})
}

// A phone transfers to the party it talks to in another call, or is waiting for.
func TestPhoneRefersAttended(t *testing.T) {
	b, p, mine, in, commands := referBench(t, "udp")
	other, consulted, _ := b.dials(p, "8002")
	require.Equal(t, call.Next{Kind: call.Wait, Agent: "8002", Once: true}, consulted.At)
	require.Equal(t, "8001", consulted.Agent)
	out := referring(p, mine, "8002", other)
	asked, ok := next(t, commands).(call.Referred)
	require.True(t, ok)
	require.Equal(t, consulted.Leg.ID(), asked.Replaces)
	asked.Referral.Accept()
	got := next(t, out)
	require.NoError(t, got.err)
	consulted.Leg.Hangup(call.CauseBye)
	asked.Referral.Done(call.CauseNone)
	in.Leg.Hangup(call.CauseBye)
	require.Equal(t, 200, next(t, got.done))
	ended(t, mine)
	ended(t, other)
}

func TestPhoneReferFails(t *testing.T) {
	b, p, mine, in, commands := referBench(t, "udp")
	_, err := p.Refer(nil, "8002", nil)
	require.ErrorIs(t, err, errNotOurs)
	out := referring(p, mine, "8002", nil)
	next(t, commands).(call.Referred).Referral.Refuse(call.CauseDeclined)
	var refused *StatusError
	require.ErrorAs(t, next(t, out).err, &refused)
	require.Equal(t, 603, refused.Code)

	out = referring(p, mine, "8009", nil)
	next(t, commands).(call.Referred).Referral.Refuse(call.CauseNotFound)
	got := next(t, out)
	require.NoError(t, got.err)
	require.Equal(t, 404, next(t, got.done))
	subscriptionOver(t, in.Leg)

	// A set that is closed tells nobody anything.
	out = referring(p, mine, "8002", nil)
	next(t, commands).(call.Referred).Referral.Accept()
	got = next(t, out)
	require.NoError(t, got.err)
	require.NoError(t, p.set.Close())
	_, more := <-got.done
	require.False(t, more)

	// A caller's phone may not.
	caller := b.add(b.phones(b.hotline.Addrs()[0]), PhoneOptions{User: "13912345678"})
	theirs, _, _ := b.dials(caller, "96777")
	_, err = caller.Refer(theirs, "8002", nil)
	require.ErrorAs(t, err, &refused)
	require.Equal(t, 403, refused.Code)
}

// A hotline that never tells how a transfer ended is not waited for for ever.
func TestPhoneReferForgotten(t *testing.T) {
	s, err := NewPhones(PhonesOptions{
		Address: netip.AddrPortFrom(loopback, 0), Server: netip.MustParseAddrPort("127.0.0.1:9"), Engine: &fakeEngine{}, T1: time.Millisecond,
	})
	require.NoError(t, err)
	runUntilEnd(t, s.Run)
	ctx, cancel := context.WithCancel(t.Context())
	one := &transfer{l: &leg{ua: s.ua, key: "k", ctx: ctx}, over: make(chan struct{})}
	require.True(t, s.ua.transfers.enter(one))
	out := make(chan int, 1)
	go one.wait(out)
	cancel()
	_, more := received(t, out)
	require.False(t, more)
	require.True(t, s.ua.transfers.enter(one), "it is forgotten")
}

// received is next, and tells whether the channel is open.
func received(t *testing.T, c <-chan int) (int, bool) {
	t.Helper()
	select {
	case v, ok := <-c:
		return v, ok
	case <-time.After(testWait):
		require.FailNow(t, "nothing came")
		return 0, false
	}
}

func TestFragStatus(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]int{
		"SIP/2.0 200 OK\r\n": 200, "sip/2.0 180 Ringing\r\nContact: <sip:x>\r\n": 180, "SIP/2.0 603\r\n": 603,
		"": 0, "SIP/2.0": 0, "SIP/3.0 200 OK": 0, "SIP/2.0 99 X": 0, "SIP/2.0 700 X": 0, "SIP/2.0 abc X": 0,
	} {
		code, ok := fragStatus(body)
		require.Equal(t, want != 0, ok, body)
		if ok {
			require.Equal(t, want, code)
		}
	}
}
