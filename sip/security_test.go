package sip

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"hotline/call"
	"hotline/media"
)

// secureRig is a rig whose agent and trunk have SRTP, each its own way, and takes calls.
func secureRig(t *testing.T, agent, trunk media.Security, legs chan<- call.Leg) *rig {
	t.Helper()
	return newRig(t, func(o *Options) {
		o.OnIncoming = untilOver(legs)
		o.Agents[0].Secure, o.Trunks[0].Secure = agent, trunk
	})
}

// A call that comes in has the security of its trunk, or of the agent whose phone it comes from.
func TestSecurityOfIncoming(t *testing.T) {
	t.Parallel()
	legs := make(chan call.Leg, 2)
	r := secureRig(t, media.SecurityRequired, media.SecurityOptional, legs)
	k := newPeer(t, "udp", r.udp()).dialog(testNumber)
	k.answered()
	require.Equal(t, media.SecurityOptional, r.engine.opened()[0].o.Secure)
	next(t, legs).Hangup(call.CauseBye)
	k.p.respond(k.p.expect("BYE", "BYE"), 200, "OK", "", "")

	require.Equal(t, media.SecurityRequired, r.securityOf(&call.Incoming{Agent: "8001", Trunk: "city"}))
	require.Equal(t, media.SecurityOff, r.securityOf(&call.Incoming{Trunk: "gone"}))
	put, err := r.Reload(Settings{Agents: []AgentOptions{{ID: "8001", Password: "one", Secure: media.SecurityOptional}}})
	require.NoError(t, err)
	put()
	require.Equal(t, media.SecurityOptional, r.securityOf(&call.Incoming{Agent: "8001"}))
}

// An offer without a key, where one is required, is refused with 488, and whoever looks into it reads why.
func TestSecurityRequired(t *testing.T) {
	t.Parallel()
	r := secureRig(t, media.SecurityOff, media.SecurityRequired, make(chan call.Leg, 1))
	k := newPeer(t, "udp", r.udp()).dialog(testNumber)
	k.request("INVITE", sdpPlain, sdpHeader)
	refused := k.p.status("INVITE", 488)
	require.Regexp(t, `^302 \S+ ".*RTP/SAVP.*a=crypto.*"$`, refused.header("warning"))
	k.ack(refused, "")
	k = newPeer(t, "udp", r.udp()).dialog(testNumber)
	k.request("INVITE", sdpNone, sdpHeader)
	refused = k.p.status("INVITE", 488)
	require.Empty(t, refused.header("warning"), "it is another reason")
	k.ack(refused, "")
	k = newPeer(t, "udp", r.udp()).dialog(testNumber)
	k.request("INVITE", sdpDTLS, sdpHeader)
	refused = k.p.status("INVITE", 488)
	require.Regexp(t, `^302 \S+ ".*DTLS-SRTP.*softphone.*"$`, refused.header("warning"))
	k.ack(refused, "")
}

// A phone that takes no audio of ours, as no page does, is told of in the log, and one that is only busy is not.
func TestMutePhoneIsToldOf(t *testing.T) {
	t.Parallel()
	core, lines := observer.New(zap.WarnLevel)
	r := newRig(t, func(o *Options) { o.Logger = zap.New(core) })
	p := newPeer(t, "udp", r.udp())
	p.register(r)
	for _, code := range []int{486, 488, 606} {
		inv, out := p.rungBy(r)
		p.respond(inv, code, "No", "a1", "")
		p.expect("ACK", "ACK")
		require.Error(t, next(t, out).err)
	}
	told := lines.FilterMessage("agent's phone takes no audio that it is offered").All()
	require.Len(t, told, 2)
	require.Equal(t, map[string]any{"agent": "8001", "code": int64(488), "transport": "UDP"}, map[string]any{
		"agent": told[0].ContextMap()["agent"], "code": told[0].ContextMap()["code"], "transport": told[0].ContextMap()["transport"],
	})
	require.Contains(t, told[0].ContextMap()["hint"], "DTLS-SRTP")
}

// A re-INVITE that would take the key away is refused likewise, and the call goes on.
func TestSecurityKept(t *testing.T) {
	t.Parallel()
	_, k, leg, commands := up(t, true)
	k.request("INVITE", sdpPlain, sdpHeader)
	_, err := next(t, commands).(call.Reoffered).Accept()
	require.ErrorIs(t, err, media.ErrNotSecure)
	refused := k.p.status("INVITE", 488)
	require.Contains(t, refused.header("warning"), "a=crypto")
	k.ack(refused, "")
	require.NoError(t, leg.Context().Err())
	k.bye()
}

// A phone that refuses keys beside RTP/AVP is offered RTP/SAVP, once, on a stream of its own.
func TestSecurityOffered(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		security media.Security
		refusals int // up to the end of the ring
	}{
		{"off", media.SecurityOff, 1},
		{"optional", media.SecurityOptional, 2},
		{"required", media.SecurityRequired, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := secureRig(t, c.security, media.SecurityOff, make(chan call.Leg, 1))
			p := newPeer(t, "udp", r.udp())
			p.register(r)
			out := r.ring(t.Context(), nil)
			for n := range c.refusals {
				inv := p.expect("INVITE", "INVITE")
				streams := r.engine.opened()
				require.Len(t, streams, n+1)
				p.respond(inv, 488, "Not Acceptable Here", "a1", "")
				p.expect("ACK", "ACK")
				if n == 1 {
					<-streams[0].closed
					require.Equal(t, media.SecurityOptional, streams[0].o.Secure)
					require.Equal(t, media.SecurityRequired, streams[1].o.Secure)
				}
			}
			got := next(t, out)
			failed, ok := errors.AsType[*call.RingError](got.err)
			require.True(t, ok)
			require.Equal(t, call.CauseUnreachable, failed.Why)
			require.Equal(t, 488, failed.Code)
		})
	}
}

func TestSecurityAnswered(t *testing.T) {
	t.Parallel()
	r := secureRig(t, media.SecurityOptional, media.SecurityOff, make(chan call.Leg, 1))
	p := newPeer(t, "udp", r.udp())
	p.register(r)
	out := r.ring(t.Context(), nil)
	p.respond(p.expect("INVITE", "INVITE"), 488, "Not Acceptable Here", "a1", "")
	p.expect("ACK", "ACK")
	p.respond(p.expect("INVITE", "INVITE"), 200, "OK", "a2", sdpGood)
	p.expect("ACK", "ACK")
	l := next(t, out).leg
	require.Equal(t, sdpGood, r.engine.opened()[1].answerTaken())
	l.Hangup(call.CauseBye)
	p.respond(p.expect("BYE", "BYE"), 200, "OK", "", "")
}

// The key of an offer is in no line that a ladder keeps, also where head and body are parted by nothing.
func TestLadderHidesKeys(t *testing.T) {
	t.Parallel()
	head := []byte("INVITE sip:96777@h SIP/2.0\r\nCall-ID: c1\r\n\n\nv=0\r\na=crypto:1 AEAD_AES_128_GCM inline:c2VjcmV0\r\na=sendrecv")
	require.True(t, factsOf(head).secret)
	kept := string(hideSecrets(head))
	require.NotContains(t, kept, "c2VjcmV0")
	require.Contains(t, kept, "a=crypto: (hidden)")
	require.Contains(t, kept, "a=sendrecv")
}
