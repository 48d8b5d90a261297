// Package mediatest is the suite that every media.Engine passes, and what it is made of: phones of one
// UDP socket, and an ear for tones. Tests of other packages may use those too.
//
// It looks at engines from outside, by their sockets, and shares no code with package media.
package mediatest

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
	"hotline/media"
)

// Make makes the engine under test. The suite closes it.
type Make func(t *testing.T, o media.Options) media.Engine

// Run runs the suite.
func Run(t *testing.T, newEngine Make) {
	t.Helper()
	for _, tests := range []map[string]func(*testing.T, Make){audioTests(), qualityTests(), secureTests()} {
		for name, test := range tests {
			t.Run(name, func(t *testing.T) { test(t, newEngine) })
		}
	}
}

// audioTests are of what is played, passed and taken.
func audioTests() map[string]func(*testing.T, Make) {
	return map[string]func(*testing.T, Make){
		"play is paced":                          playPaced,
		"play joins clips":                       playJoins,
		"play is cut short by its context":       playBargeIn,
		"play is replaced":                       playReplaced,
		"play ends with its stream":              playClosed,
		"silence goes out while there is none":   silenceIdle,
		"no silence to a phone not yet heard":    silenceBefore,
		"bridge carries both ways":               bridgeBothWays,
		"bridge passes no packet on when over":   bridgeOver,
		"bridge refuses what it cannot join":     bridgeRefuses,
		"bridge passes keys on":                  bridgeKeys,
		"bridge makes tones of keys":             bridgeTones,
		"bridge makes events of keys":            bridgeEvents,
		"bridge passes tones on as they are":     bridgePassesTones,
		"bridge ends with a stream":              bridgeClosed,
		"bridge on hold leaves no gap":           bridgeHeld,
		"one stream from play to bridge to play": continuity,
		"gaps and order survive a bridge":        bridgeGaps,
		"rooms":                                  rooms,
		"a tap on one stream":                    listen,
		"source is locked":                       sourceLocked,
		"source by signalling":                   sourceSignalling,
		"source opened by an offer":              sourceOpened,
		"source that moves is followed":          sourceMoves,
		"source known before a refresh":          sourceKnown,
		"strangers are not heard":                sourceStrangers,
		"over IPv6":                              ipv6,
		"of both families":                       families,
		"packets of every length":                lengths,
		"packets of the length asked for":        lengthAsked,
		"packets wrapped in every way":           wrappings,
		"pauses and comfort noise":               pauses,
		"another codec in the middle":            codecChanges,
		"a tone is heard by one leg alone":       toneAlone,
		"a tone is heard in silence":             toneInSilence,
		"a tone is replaced and ended":           toneReplaced,
		"keys are sent":                          keysSent,
		"keys are sent as tones":                 keysSentAsTones,
		"keys by tones":                          keysByTones,
		"keys by tones, or not":                  keysNotByTones,
		"keys once":                              keysOnce,
		"keys by the first method":               keysFirstMethod,
		"keys and calls from their function":     keysReentrant,
		"offer and answer":                       offerAnswer,
		"codecs of its own":                      ownCodecs,
		"hold and resume":                        hold,
		"bad descriptions change nothing":        badDescriptions,
		"a proposal changes nothing":             proposals,
		"the last description offered again":     current,
		"ports run out and rest":                 portsRest,
		"ports of others are passed over":        portsTaken,
		"rubbish is counted":                     rubbish,
		"loss is counted":                        loss,
		"a fault costs one stream":               faults,
		"close at any time":                      closeAnyTime,
		"a stream goes on after a restart":       resume,
		"a flood costs nobody else anything":     flood,
		"streams come and go":                    comeAndGo,
		"metrics":                                metrics,
	}
}

// qualityTests are of reports, and of what is told of a stream's audio.
func qualityTests() map[string]func(*testing.T, Make) {
	return map[string]func(*testing.T, Make){
		"reports go where they are wanted": reports,
		"reports are read":                 reportsRead,
		"reports share the port":           reportsMuxed,
		"silence is told":                  silentTold,
		"nothing comes at all":             oneWayIn,
		"nothing arrives at the far end":   oneWayOut,
		"no fact of what is held":          heldNotTold,
		"the far end is told goodbye":      goodbye,
	}
}

var loopback = netip.MustParseAddr("127.0.0.1")

// freePorts are n ports that no test has but this one, nor of another package: what still comes to a port after its stream was
// closed reaches nobody else's.
func freePorts(t *testing.T, n int) media.PortRange {
	t.Helper()
	lo := uint16(testkit.FreePorts(t, n)) //nolint:gosec // a port
	return media.PortRange{Lo: lo, Hi: lo + uint16(n) - 1}
}

// open makes an engine with the suite's options, changed by change, on ports of its own.
func open(t *testing.T, newEngine Make, change ...func(*media.Options)) media.Engine {
	t.Helper()
	o := media.Options{Address: loopback, Rest: time.Millisecond}
	for _, c := range change {
		c(&o)
	}
	if o.Ports == (media.PortRange{}) {
		o.Ports = freePorts(t, 200)
	}
	e := newEngine(t, o)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

// stream opens a stream and calls it from a new phone.
func stream(t *testing.T, e media.Engine, codec media.Codec) (media.Stream, *Phone) {
	t.Helper()
	s, err := e.Open(media.StreamOptions{})
	require.NoError(t, err)
	p := NewPhone(t, codec)
	p.Call(s)
	return s, p
}

// start plays in a goroutine and returns where its end is told.
func start(ctx context.Context, s media.Stream, clips ...media.Clip) <-chan error {
	done := make(chan error, 1)
	go func() { done <- s.Play(ctx, clips...) }()
	return done
}

// wait returns what comes from a channel.
func wait[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		require.FailNow(t, "what was waited for never came")
		panic("not reached")
	}
}

// eventually waits until a stream's statistics are as wanted.
func eventually(t *testing.T, s media.Stream, wanted func(media.Stats) bool) {
	t.Helper()
	require.Eventually(t, func() bool { return wanted(s.Stats()) }, patience, time.Millisecond)
}

func audible(p Packet) bool { return !p.Silent() }

// requireOneStream checks that packets are one RTP stream without a gap in numbers, its time never going
// back.
func requireOneStream(t *testing.T, packets []Packet) {
	t.Helper()
	for i := 1; i < len(packets); i++ {
		a, b := packets[i-1], packets[i]
		require.Equal(t, a.SSRC, b.SSRC, "SSRC of packet %d", i)
		require.Equal(t, a.Sequence+1, b.Sequence, "sequence number of packet %d", i)
		require.GreaterOrEqual(t, int32(b.Timestamp-a.Timestamp), int32(len(a.Audio)), "timestamp of packet %d", i)
	}
}

var errBargeIn = errors.New("a key was pressed")
