package media

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// sdpPair are two ends of one session, which know each other by descriptions only.
type sdpPair struct {
	ends [2]*negotiator
	ways [2]string // what each end wants: the attribute that it puts in place of sendrecv
	said [2]string // the direction that each end gave last
}

// turned is a description of an end's with its own wish in it: an answer does not go beyond what was offered.
func (p *sdpPair) turned(end int, body []byte) []byte {
	text := strings.Replace(string(body), "a=sendrecv", "a="+p.ways[end], 1)
	for way := range directions {
		if strings.Contains(text, "a="+way) {
			p.said[end] = way
		}
	}
	return []byte(text)
}

// offer has one end offer, anew or what stands, and the other refuse or answer; crossed is an offer of the other's before
// the answer, which is refused as RFC 3261 section 14.2 wants.
func (p *sdpPair) offer(t *rapid.T, from int, again, refused, crossed bool) {
	a, b := p.ends[from], p.ends[1-from]
	body := a.offer
	if again && a.standing.body != nil {
		body = a.again
	}
	offer := p.turned(from, body())
	if crossed {
		b.offer()
	}
	if refused {
		return
	}
	answer, _, err := b.answer(offer)
	require.NoError(t, err, "%s", offer)
	_, err = a.accept(p.turned(1-from, answer))
	require.NoError(t, err, "%s\n%s", offer, answer)
	p.agree(t)
}

// agree requires that both ends have settled on the same.
func (p *sdpPair) agree(t *rapid.T) {
	for i, n := range p.ends {
		mine, theirs := n.agreed, p.ends[1-i].agreed
		require.Equal(t, mine.codec, theirs.codec)
		require.Equal(t, p.ends[1-i].local, mine.remote)
		require.Equal(t, codecKinds[mine.codec], theirs.receive[mine.audio], "what we send they know")
		if mine.hasEvent {
			require.Equal(t, payloadEvent, theirs.receive[mine.event])
		}
		require.Equal(t, directions[p.said[1-i]].receive, mine.send)
		require.Equal(t, directions[p.said[1-i]].send, mine.sends)
		require.Equal(t, mine.secure == nil, theirs.secure == nil)
		if mine.secure != nil {
			require.Equal(t, *mine.secure.out.key, *theirs.secure.in.key)
			require.NotEqual(t, *mine.secure.out.key, *mine.secure.in.key)
		}
		require.Equal(t, string(n.standing.body), string(n.ours.body))
	}
}

// Through any offers, refusals, offers that cross and holds, both ends settle on the same codec, numbers, directions and
// keys.
func TestEndsSettleOnTheSame(t *testing.T) {
	ways := []string{"sendrecv", "sendonly", "recvonly", "inactive"}
	securities := [][2]Security{
		{SecurityOff, SecurityOff},
		{SecurityOptional, SecurityOptional},
		{SecurityRequired, SecurityRequired},
		{SecurityOptional, SecurityRequired},
		{SecurityOff, SecurityOptional},
	}
	rapid.Check(t, func(t *rapid.T) {
		p := &sdpPair{}
		security := rapid.SampledFrom(securities).Draw(t, "security")
		for i := range p.ends {
			p.ends[i] = testNegotiator()
			p.ends[i].local = netip.AddrPortFrom(p.ends[i].local.Addr(), uint16(20000+2*i))
			p.ends[i].security = security[i]
			p.ways[i] = ways[0]
			if rapid.Bool().Draw(t, "µ-law first") {
				slices.Reverse(p.ends[i].codecs)
			}
		}
		for range rapid.IntRange(1, 12).Draw(t, "offers") {
			from := rapid.IntRange(0, 1).Draw(t, "from")
			p.ways[from] = rapid.SampledFrom(ways).Draw(t, "way")
			p.offer(t, from, rapid.Bool().Draw(t, "again"), rapid.Bool().Draw(t, "refused"), rapid.Bool().Draw(t, "crossed"))
		}
	})
}
