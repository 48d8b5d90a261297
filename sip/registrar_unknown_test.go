package sip

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/require"
)

// whatDiffers is what must differ between two answers of a registrar: chance alone.
var whatDiffers = regexp.MustCompile(`nonce="[^"]*"|;tag=[0-9a-f-]{36}`)

// looks is an answer to a REGISTER as the wire has it, without chance and without the agent's id.
func looks(res *sipmsg.Response, id string) string {
	return strings.ReplaceAll(whatDiffers.ReplaceAllString(res.String(), "…"), id, "ID")
}

// TestUnknownLooksTheSame: without credentials, with wrong ones and with stale ones an id that nobody has is
// answered as an agent's is, byte for byte but for chance.
func TestUnknownLooksTheSame(t *testing.T) {
	for _, offered := range [][]string{{"md5"}, {"sha-256", "md5"}, {"sha-512-256"}} {
		r := newRegistrar(registrarOptions{
			realm: "hotline", digest: offered, agents: []AgentOptions{{ID: "8001", Password: "one"}},
		})
		s := &scenario{t: t, r: r}
		src := sourceAt(t, "UDP", "192.0.2.7:5071")
		ask := func(id, header string) string {
			return looks(r.handle(registerRequest(t, id, header, 1), src), id)
		}
		require.Equal(t, ask("8001", "X: y"), ask("9001", "X: y"))
		s.remember(r.handle(registerRequest(t, "8001", "X: y", 1), src))
		for _, words := range [][]string{
			{"password=guess"},
			{"password="},
			{"password=guess", "nonce=dcd98b7102dd2f0e8b11d0f600bfb0c093"},
			{"password=guess", "algorithm=SHA-256"},
			{"password=guess", "qop=none"},
			{"password=guess", "method=INVITE"},
		} {
			known := ask("8001", "Authorization: "+s.credentials("REGISTER", append(words, "user=8001")))
			unknown := ask("9001", "Authorization: "+s.credentials("REGISTER", append(words, "user=9001")))
			require.Equal(t, known, unknown, "%v", words)
			require.True(t, strings.HasPrefix(known, "SIP/2.0 401 "), known)
		}
	}
}

// TestDecoys: where agents are offered different algorithms, ids that nobody has are offered them in the
// agents' proportions, each id the same every time and after a restart.
func TestDecoys(t *testing.T) {
	agents := manyAgents(10)
	for i := range 3 {
		agents[i].Digest = []string{"sha-256", "md5"}
	}
	o := registrarOptions{realm: "hotline", agents: agents}
	r, restarted := newRegistrar(o), newRegistrar(o)
	const ids = 2000
	both := 0
	for i := range ids {
		id := fmt.Sprint("id", i)
		a := r.account(id)
		require.Equal(t, a.algorithms, r.account(id).algorithms)
		require.Equal(t, a.algorithms, restarted.account(id).algorithms)
		require.Empty(t, a.id)
		if len(a.algorithms) == 2 {
			both++
		}
	}
	require.InDelta(t, 0.3, float64(both)/ids, 0.05)
	require.Equal(t, []string{"MD5"}, newRegistrar(registrarOptions{}).account("x").algorithms, "no agents at all")
}

// BenchmarkWrongPassword prints what a wrong password costs for an agent, and how much of that it costs for an
// id that nobody has: the ratio must tell nothing.
func BenchmarkWrongPassword(b *testing.B) {
	for _, algorithm := range []string{"MD5", "SHA-256", "SHA-512-256"} {
		b.Run(algorithm, func(b *testing.B) {
			r := newRegistrar(registrarOptions{
				realm: "hotline", digest: []string{strings.ToLower(algorithm)}, agents: manyAgents(100),
			})
			requests := [2]*sipmsg.Request{}
			for i, id := range []string{"8001", "9001"} {
				req := sipmsg.NewRequest(sipmsg.REGISTER, sipmsg.Uri{Scheme: schemeSIP, Host: "h"})
				at := sipmsg.Uri{Scheme: schemeSIP, User: id, Host: "h"}
				req.AppendHeader(&sipmsg.FromHeader{Address: at})
				req.AppendHeader(&sipmsg.ToHeader{Address: at})
				callID := sipmsg.CallIDHeader("c")
				req.AppendHeader(&callID)
				req.AppendHeader(&sipmsg.CSeqHeader{SeqNo: 1, MethodName: sipmsg.REGISTER})
				req.AppendHeader(sipmsg.NewHeader("Authorization", fmt.Sprintf(`Digest username="%s", realm="hotline", `+
					`nonce="n", uri="sip:h", response="00", algorithm=%s, qop=auth, nc=00000001, cnonce="c"`, id, algorithm)))
				requests[i] = req
			}
			var ratios []float64
			for b.Loop() {
				ratios = append(ratios, cost(r, requests[1])/cost(r, requests[0]))
			}
			slices.Sort(ratios)
			b.ReportMetric(ratios[len(ratios)/2], "unknown/known")
		})
	}
}

// cost is how long a hundred of a request take.
func cost(r *registrar, req *sipmsg.Request) float64 {
	began := time.Now()
	for range 100 {
		r.handle(req, source{})
	}
	return float64(time.Since(began))
}
