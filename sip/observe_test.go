package sip

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// witness is an observer that tests wait on.
type witness struct {
	mu  sync.Mutex
	all []call.WireMessage
}

func (w *witness) show(m call.WireMessage) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, m)
}

// said is what was shown so far.
func (w *witness) said() []call.WireMessage {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]call.WireMessage(nil), w.all...)
}

// has tells whether a message with all of these words was shown, and returns the first.
func (w *witness) has(words ...string) (call.WireMessage, bool) {
	for _, m := range w.said() {
		all := true
		for _, word := range words {
			all = all && strings.Contains(string(m.Data), word)
		}
		if all {
			return m, true
		}
	}
	return call.WireMessage{}, false
}

func (w *witness) await(t *testing.T, words ...string) call.WireMessage {
	t.Helper()
	var m call.WireMessage
	require.Eventually(t, func() (ok bool) { m, ok = w.has(words...); return ok }, testWait, time.Millisecond, "%q", words)
	return m
}

// Who observes is shown registrations and calls, whole but for secrets, with whom they are and to which call they belong,
// with or without a ladder, over UDP and TCP; and nothing once he has stopped.
func TestObserve(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"udp", "tcp"} {
		for _, traced := range []bool{true, false} {
			t.Run(network+map[bool]string{true: ", ladder"}[traced], func(t *testing.T) {
				t.Parallel()
				legs := make(chan call.Leg, 1)
				r := newRig(t, func(o *Options) {
					o.OnIncoming = owned(legs)
					if traced {
						o.Trace = func(string, []call.SIPMessage) {}
					}
				})
				w := &witness{}
				stop := r.Observe(w.show)
				agent := newPeer(t, network, r.at(network))
				agent.register(r)
				register := w.await(t, "REGISTER ", "Authorization: (hidden)")
				require.NotContains(t, string(register.Data), "response=")
				require.True(t, register.Received)
				require.Equal(t, agent.addr(), register.Remote.String())
				require.Equal(t, r.at(network), register.Local)
				require.Equal(t, agent.transport(), register.Transport)
				at, ok := r.PhoneOf("8001")
				require.True(t, ok)
				require.Equal(t, register.Remote, at)
				require.Empty(t, register.Call)

				caller := newPeer(t, network, r.at(network))
				k := caller.dialog(testNumber)
				answered := k.answered()
				next(t, legs)
				invite := w.await(t, "INVITE sip:"+testNumber, "application/sdp")
				require.Empty(t, invite.Call, "it had not passed the door")
				require.Equal(t, "c1", r.CallOf(invite.CallID))
				answer := w.await(t, "SIP/2.0 200", "application/sdp", "CSeq: "+answered.header("cseq"))
				require.False(t, answer.Received)
				require.Equal(t, "c1", answer.Call)
				require.Equal(t, answered.raw, string(answer.Data))
				require.Empty(t, r.CallOf("no such"))

				stop()
				stop()
				require.False(t, r.ladder.observed())
				before := len(w.said())
				k.toTag = answered.tag("to")
				k.request("BYE", "")
				caller.status("BYE", 200)
				require.Len(t, w.said(), before)
			})
		}
	}
}

// What is refused is seen, with its answer; line ends alone are not.
func TestObserveRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	w := &witness{}
	defer r.Observe(w.show)()
	p := newPeer(t, "udp", r.udp())
	p.write("\r\n\r\n")
	p.write("OPTIONS sip:x@127.0.0.1 SIP/7.0\r\nVia: SIP/2.0/UDP " + p.addr() + ";branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\n" +
		"To: <sip:a@b>\r\nCall-ID: odd\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n")
	asked := w.await(t, "SIP/7.0")
	require.Equal(t, "odd", asked.CallID)
	answer := w.await(t, "SIP/2.0 505")
	require.False(t, answer.Received)
	require.Equal(t, p.addr(), answer.Remote.String())
	require.Len(t, w.said(), 2)
}

func TestWithoutSecrets(t *testing.T) {
	t.Parallel()
	const head = "REGISTER sip:h SIP/2.0\r\nAuthorization: Digest username=\"8001\",\r\n  response=\"5ec4e7\"\r\nCall-ID: a\r\n" +
		"proxy-authorization : Digest response=\"5ec4e7\""
	got := string(withoutSecrets([]byte(head + "\r\n\r\nv=0\r\nk=clear:5ec4e7\r\nA=CRYPTO:1 AES inline:5ec4e7|2^20\r\na=crypto:5ec4e7\r\na=x\r\n")))
	require.NotContains(t, got, "5ec4e7")
	require.Equal(t, "REGISTER sip:h SIP/2.0\r\nAuthorization: (hidden)\r\nCall-ID: a\r\nproxy-authorization: (hidden)\r\n\r\n"+
		"v=0\r\nk=************\r\nA=CRYPTO:1 AES inline:AAAAAA|2^20\r\na=crypto:******\r\na=x\r\n", got)
	require.Equal(t, "no SIP", string(withoutSecrets([]byte("no SIP"))))
	require.Equal(t, "Authorization: (hidden)\r\n\r\nv=0\r\n", string(withoutSecrets([]byte("Authorization: Digest\r\n x\r\n\r\nv=0\r\n"))))
	// A letter that is longer in lower case does not move where the key begins.
	require.NotContains(t, string(withoutSecrets([]byte("A\r\n\r\na=crypto:\u0130\u0130\u0130 inline:5ec4e7"))), "5ec4")
}

// Keys of SRTP stay base64 of as many octets, and what is beside them stays if it can be none: lines as RFC 4568 has them, with
// secrets in all places where one may be.
func TestWithoutKeys(t *testing.T) {
	t.Parallel()
	const (
		key30 = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"
		key28 = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2Vjcg=="
	)
	none30, none28 := strings.Repeat("A", 40), strings.Repeat("A", 38)+"=="
	for in, out := range map[string]string{
		key30:                         none30,
		key28:                         none28,
		strings.TrimRight(key28, "="): strings.Repeat("A", 38),
		key30 + "|2^20|1:4":           none30 + "|2^20|1:4",
		key30 + "|1048576":            none30 + "|1048576",
		key30 + "|1:4":                none30 + "|1:4",
		key30 + "|c2Vj":               none30 + "*****",
		key30 + "|1:4;inline:" + key28 + "|2^20|2:4": none30 + "|1:4;inline:" + none28 + "|2^20|2:4",
		key30 + ";INLINE:" + key28:                   none30 + ";INLINE:" + none28,
		key30 + ";other:c2Vj":                        none30 + ";**********",
		key30 + "|2^20 FEC_KEY=inline:c2Vj KDR=1":    none30 + "|2^20 " + strings.Repeat("*", 25),
		"not, base64: " + key30:                      "AAAA " + strings.Repeat("*", 48),
		"":                                           "",
		key30 + "==" + key30:                         strings.Repeat("A", 82),
		key30 + "|2^20|1:4|2^20" + strings.Repeat("1", 40): none30 + strings.Repeat("*", 54),
	} {
		const before, after = "INVITE sip:h SIP/2.0\r\n\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:", "\r\na=sendrecv\r\n"
		got := withoutSecrets([]byte(before + in + after))
		require.Equal(t, before+out+after, string(got), in)
		require.Equal(t, string(got), string(withoutSecrets(got)))
		if raw, err := base64.StdEncoding.DecodeString(in); err == nil {
			hidden, err := base64.StdEncoding.DecodeString(out)
			require.NoError(t, err)
			require.Equal(t, make([]byte, len(raw)), hidden)
		}
	}
}

// FuzzWithoutSecrets: a body keeps its length, no key or credential that stands in a line of its own comes through, and what
// is hidden once stays as it is.
func FuzzWithoutSecrets(f *testing.F) {
	f.Add([]byte("Authorization: Digest x\r\n\r\nk=y"), []byte("a: b\r\n"))
	f.Add([]byte("SIP/2.0 200 OK\r\n\r\na=crypto:1 A inline:k"), []byte("\n a"))
	f.Add([]byte("SIP/2.0 200 OK\r\x02\r\na=crypto:1 A inline:k"), []byte("SIP"))
	f.Fuzz(func(t *testing.T, data, more []byte) {
		out := withoutSecrets(data)
		_, body, _ := bytes.Cut(data, endOfHead)
		_, kept, _ := bytes.Cut(out, endOfHead)
		require.Len(t, kept, len(body))
		require.Equal(t, string(out), string(withoutSecrets(out)))
		const word = "0123456789abcdef"
		if bytes.ContainsAny(more, "\r\n") || bytes.Contains(append(data, more...), []byte(word)) {
			return
		}
		secret := append([]byte("Authorization: Digest response="+word), more...)
		require.NotContains(t, string(withoutSecrets(append(append(secret, "\r\n\r\n"...), data...))), word)
		require.NotContains(t, string(withoutSecrets(fmt.Appendf(nil, "\r\n\r\na=crypto:1 A inline:%s%s\r\n", more, word))), word)
	})
}
