package media

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// nowire is the sockets of a line under test: what is sent goes nowhere.
type nowire struct{}

func (nowire) send([]byte, netip.AddrPort) bool { return true }
func (nowire) report([]byte, netip.AddrPort)    {}
func (nowire) close() error                     { return nil }

// deskLine is a line whose shard is the test. told gets its keys, once the engine's teller has ended.
func deskLine(c *core, a *agreement) (l *line, told *string) {
	s := newStream(c, StreamOptions{})
	l, told = s.line, new(string)
	l.sockets, l.tally, l.untilReport = nowire{}, &tally{}, 1<<30
	l.agree(a, time.Now())
	l.keys.tell = func(k Key) { *told += k.String() }
	return l, told
}

// caller sends packets to a line of a test.
type caller struct {
	l         *line
	bench     *workbench
	number    uint16
	timestamp uint32
}

// say sends audio in packets of 20 ms, at the times at which they are due from now on, and returns when the last is over.
func (c *caller) say(now time.Time, alaw []byte) time.Time {
	for len(alaw) > 0 {
		n := min(frameSamples, len(alaw))
		p := audioPacket(1, c.number, c.timestamp)
		p.Payload = alaw[:n]
		b, err := p.Marshal()
		if err != nil {
			panic(err)
		}
		c.l.datagram(c.bench, b, anywhere, now)
		c.number++
		c.timestamp += uint32(n)
		alaw, now = alaw[n:], now.Add(FrameDuration)
	}
	return now
}

// toneless is what a far end agrees to that has no telephone-events.
func toneless() *agreement {
	a := &agreement{codec: PCMA, audio: 8, send: true, remote: anywhere}
	a.receive[8], a.receive[0] = payloadPCMA, payloadPCMU
	return a
}

func key5() []byte { return sound{}.dual(770, 1336, -10, -10, 100).pause(60).alaw() }

// What comes back of the tones that a far end is sent is its echo; what comes later is a key again.
func TestInbandEcho(t *testing.T) {
	c := &core{teller: newTeller()}
	l, told := deskLine(c, toneless())
	phone := &caller{l: l, bench: new(workbench)}
	now := time.Now()
	var frame [frameSamples]byte
	l.reel = &reel{press: &press{event: 5}, done: make(chan error, 1)}
	for range keyTurns + endTurns {
		now = now.Add(FrameDuration)
		l.turn(now, 1, frame[:])
	}
	require.Nil(t, l.reel, "the key was sent")
	over := phone.say(now.Add(echoTail-170*time.Millisecond), key5())
	require.True(t, over.Before(now.Add(echoTail)))
	phone.say(now.Add(echoTail), sound{}.dual(852, 1209, -10, -10, 60).pause(60).alaw())
	c.teller.end()
	require.Equal(t, "7", *told)
}

// Of a key that sounds through a bridge of two far ends without events, the echo is not the other one's key.
func TestInbandEchoThroughBridge(t *testing.T) {
	c := &core{teller: newTeller()}
	a, toldA := deskLine(c, toneless())
	b, toldB := deskLine(c, toneless())
	ends := [2]*bridgeEnd{{side: SideA, line: a}, {side: SideB, line: b}}
	for _, e := range ends {
		require.NoError(t, e.line.claim(e))
	}
	require.NoError(t, join(ends))
	left, right := &caller{l: a, bench: new(workbench)}, &caller{l: b, bench: new(workbench)}
	now := time.Now()
	left.say(now, key5())
	right.say(now.Add(150*time.Millisecond), key5())
	left.say(now.Add(time.Second), key5())
	right.say(now.Add(2*time.Second), sound{}.dual(852, 1209, -10, -10, 60).pause(60).alaw())
	c.teller.end()
	require.Equal(t, "55", *toldA)
	require.Equal(t, "7", *toldB)
}

// A tone that nobody listens to any more, in the middle of it, is a tone like others: what follows is heard at the other
// end, which has events.
func TestInbandForgottenInATone(t *testing.T) {
	c := &core{teller: newTeller()}
	defer c.teller.end()
	a, _ := deskLine(c, toneless())
	events := toneless()
	events.hasEvent, events.event = true, 101
	b, _ := deskLine(c, events)
	ends := [2]*bridgeEnd{{side: SideA, line: a}, {side: SideB, line: b}}
	for _, e := range ends {
		require.NoError(t, e.line.claim(e))
	}
	require.NoError(t, join(ends))
	phone := &caller{l: a, bench: new(workbench)}
	now := phone.say(time.Now(), sound{}.dual(770, 1336, -10, -10, 100).alaw())
	require.True(t, a.inband.tones.sounding)
	a.keys.tell = nil
	b.out.keys = dialled{} // what was passed on has been sent
	before := b.out.packets
	phone.say(now, make([]byte, 10*frameSamples))
	require.Equal(t, before+10, b.out.packets)
}

// A line listens only as long as it is worth the time: to a far end without events, for somebody who wants to know,
// and while no other method was seen.
func TestInbandOnlyWhereNeeded(t *testing.T) {
	c := &core{teller: newTeller()}
	defer c.teller.end()
	l, _ := deskLine(c, toneless())
	phone := &caller{l: l, bench: new(workbench)}
	listens := func() bool {
		before := l.inband.next
		phone.say(time.Now(), make([]byte, frameSamples))
		return l.inband.next != before
	}
	require.True(t, listens())
	l.keys.tell = nil
	require.False(t, listens(), "nobody wants to know")
	l.keys.tell = func(Key) {}
	require.True(t, listens())
	l.press('1', byINFO)
	require.False(t, listens(), "the keys come by INFO")

	events := toneless()
	events.hasEvent, events.event = true, 101
	l.agree(events, time.Now())
	require.Nil(t, l.inband)
	l.agree(toneless(), time.Now())
	require.NotNil(t, l.inband)
	c.o.NoInband = true
	l.agree(toneless(), time.Now())
	require.Nil(t, l.inband)
}

// The detector follows the sender's time: one key is one, and two are two, whatever is lost, late, repeated or left out.
func TestInbandPackets(t *testing.T) {
	long := sound{}.dual(770, 1336, -10, -10, 400).pause(60).alaw()
	two := append(key5(), key5()...)
	for name, c := range map[string]struct {
		audio []byte
		order []int // of the packets of 20 ms; what is not named is lost
		want  string
	}{
		"all":                         {two, upTo(0, 16), "55"},
		"swapped":                     {two, []int{0, 1, 3, 2, 4, 5, 6, 7, 8, 9, 10, 12, 11, 13, 14, 15}, "55"},
		"one lost in each":            {two, []int{0, 1, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15}, "55"},
		"the pause is lost":           {two, []int{0, 1, 2, 3, 4, 8, 9, 10, 11, 12, 13, 14, 15}, "5"}, // 60 ms, as of a key that is held
		"100 ms lost of one":          {long, append(upTo(0, 8), upTo(13, 23)...), "5"},
		"each third lost":             {long, []int{0, 1, 3, 4, 6, 7, 9, 10, 12, 13, 15, 16, 18, 19, 21, 22}, "5"},
		"its beginning late":          {long, append([]int{2, 3, 0, 1}, upTo(4, 23)...), "5"},
		"120 ms lost, with the pause": {two, append(upTo(0, 4), upTo(10, 16)...), "55"},
	} {
		t.Run(name, func(t *testing.T) {
			var e inband
			got := ""
			for _, i := range c.order {
				p := audioPacket(7, uint16(65530+i), uint32(4294967000+i*frameSamples))
				p.Payload = c.audio[i*frameSamples : (i+1)*frameSamples]
				for audio := e.take(p, time.Now()); len(audio) > 0; {
					var k Key
					if k, audio = e.tones.feed(audio, &alawLinear); k != 0 {
						got += k.String()
					}
				}
			}
			require.Equal(t, c.want, got)
		})
	}
}

func upTo(from, to int) (numbers []int) {
	for i := from; i < to; i++ {
		numbers = append(numbers, i)
	}
	return numbers
}

// A key passed on is finished when the bridge ends; those that wait behind it are not begun.
func TestDialledHangUp(t *testing.T) {
	o, sent := captured()
	now := time.Now()
	var frame [frameSamples]byte
	o.dial('1')
	o.keys.hangUp()
	require.Zero(t, o.keys.n, "not begun")
	for range maxDialled + 3 {
		o.dial('2')
	}
	require.Equal(t, maxDialled, o.keys.n)
	o.keys.step(o, now, frame[:])
	o.keys.hangUp()
	for o.keys.n > 0 {
		now = now.Add(FrameDuration)
		o.keys.step(o, now, frame[:])
	}
	require.Len(t, *sent, keyTurns+endTurns)
	require.Equal(t, byte(0x80), (*sent)[keyTurns].Payload[1]&0x80)
}

// Keys passed on one after another are so many events, each with its own timestamp and the pause after it.
func TestDialledKeys(t *testing.T) {
	o, sent := captured()
	now := time.Now()
	var frame [frameSamples]byte
	for _, k := range "112" {
		o.dial(Key(k))
	}
	for o.keys.n > 0 {
		o.forward(now, audioPacket(1, 1, 1), payloadPCMA) // what is said meanwhile is not sent
		o.keys.step(o, now, frame[:])
		now = now.Add(FrameDuration)
	}
	var d keyDetector
	told := ""
	for _, p := range *sent {
		require.Equal(t, uint8(101), p.PayloadType)
		if k, ok := d.event(p.SSRC, p.Timestamp, p.Marker, p.Payload); ok {
			told += k.String()
		}
	}
	require.Equal(t, "112", told)
}
