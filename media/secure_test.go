package media

import (
	"encoding/binary"
	"encoding/hex"
	"testing"

	"github.com/pion/rtcp"
	"github.com/stretchr/testify/require"
)

// eachSuite runs a test with both ends of one direction.
func eachSuite(t *testing.T, test func(t *testing.T, s *sealer, o *opener)) {
	t.Helper()
	for i := range suites {
		t.Run(suites[i].name, func(t *testing.T) {
			k := newMasterKey(&suites[i])
			s, err := newSealer(k)
			require.NoError(t, err)
			o, err := newOpener(k)
			require.NoError(t, err)
			test(t, s, o)
		})
	}
}

// unsealed is an RTP packet with room to be sealed.
func unsealed(ssrc uint32, number uint16) []byte {
	b := make([]byte, rtpHeaderSize+frameSamples, rtpHeaderSize+frameSamples+sealRoom)
	b[0], b[1] = 0x80, 8
	binary.BigEndian.PutUint16(b[2:], number)
	binary.BigEndian.PutUint32(b[8:], ssrc)
	for i := range b[rtpHeaderSize:] {
		b[rtpHeaderSize+i] = byte(i) ^ byte(number)
	}
	return b
}

// sealed is one that was.
func sealed(t *testing.T, s *sealer, ssrc uint32, number uint16) []byte {
	t.Helper()
	b, ok := s.rtp(unsealed(ssrc, number))
	require.True(t, ok, "packet %d", number)
	return b
}

func TestSealAndOpen(t *testing.T) {
	eachSuite(t, func(t *testing.T, s *sealer, o *opener) {
		t.Helper()
		b := sealed(t, s, 7, 100)
		require.Len(t, b, rtpHeaderSize+frameSamples+s.key.suite.tag)
		require.NotContains(t, string(b), string(unsealed(7, 100)[rtpHeaderSize:rtpHeaderSize+8]))
		again := append([]byte(nil), b...)
		plain, what := o.rtp(b)
		require.Equal(t, authentic, what)
		require.Equal(t, unsealed(7, 100), plain)

		_, what = o.rtp(again)
		require.Equal(t, replayed, what, "a packet is taken once (RFC 3711 section 3.3.2)")
		for _, broken := range []int{1, 5, rtpHeaderSize, len(again) - 1} {
			b = sealed(t, s, 7, 101+uint16(broken))
			b[broken] ^= 1
			_, what = o.rtp(b)
			require.Equal(t, notAuthentic, what, "octet %d", broken)
		}
		for n := range b {
			_, what = o.rtp(b[:n])
			require.Equal(t, notAuthentic, what, "%d octets", n)
		}
		_, what = o.rtp(unsealed(7, 999))
		require.Equal(t, notAuthentic, what, "plain RTP")
	})
}

// The packet that libsrtp holds itself against, under the keys of RFC 3711 appendix B.3.
func TestSealVector(t *testing.T) {
	material, err := hex.DecodeString("E1F97A0D3E018BE0D64FA32C06DE4139" + "0EC675AD498AFEEBB6960B3AABE6")
	require.NoError(t, err)
	k := &masterKey{suite: &suites[1]}
	copy(k.material[:], material)
	s, err := newSealer(k)
	require.NoError(t, err)
	plain, err := hex.DecodeString("800f1234decafbadcafebabe" + "abababababababababababababababab")
	require.NoError(t, err)
	b, ok := s.rtp(append(make([]byte, 0, 100), plain...))
	require.True(t, ok)
	require.Equal(t, "800f1234decafbadcafebabe"+"4e55dc4ce79978d88ca4d215949d2402"+"b78d6acc99ea179b8dbb", hex.EncodeToString(b))
}

// The count of roll-overs goes on over many, with losses and late packets at the edge, and is each SSRC's own (RFC 3711
// section 3.3.1).
func TestRollOver(t *testing.T) {
	eachSuite(t, func(t *testing.T, s *sealer, o *opener) {
		t.Helper()
		const step, packets = 61, 4000
		number, late := uint16(20000), []byte(nil)
		for i := range packets {
			b := sealed(t, s, 7, number)
			switch {
			case number > 65535-step:
				late = append(late[:0], b...) // the last before a roll-over comes after it
			case i%100 != 3: // that is lost
				_, what := o.rtp(b)
				require.Equal(t, authentic, what, "packet %d", number)
			}
			if number < step && late != nil {
				_, what := o.rtp(late)
				require.Equal(t, authentic, what, "a packet from before the roll-over")
			}
			number += step
		}
		roc, _ := o.context.ROC(7)
		require.EqualValues(t, (20000+step*(packets-1))>>16, roc)
	})
}

// A new SSRC begins with no roll-overs, and the old one is still known when it comes back.
func TestOpenSources(t *testing.T) {
	eachSuite(t, func(t *testing.T, s *sealer, o *opener) {
		t.Helper()
		other, err := newSealer(s.key)
		require.NoError(t, err)
		for _, number := range []uint16{65534, 65535, 0, 1} {
			_, what := o.rtp(sealed(t, s, 7, number))
			require.Equal(t, authentic, what)
		}
		old := sealed(t, s, 7, 2)
		_, what := o.rtp(append([]byte(nil), old...))
		require.Equal(t, authentic, what)
		for _, number := range []uint16{65534, 65535, 0} {
			_, what := o.rtp(sealed(t, other, 8, number))
			require.Equal(t, authentic, what)
		}
		_, what = o.rtp(old)
		require.Equal(t, replayed, what)
		_, what = o.rtp(sealed(t, s, 7, 3))
		require.Equal(t, authentic, what)

		for ssrc := uint32(100); o.sources < maxSources; ssrc++ {
			other, err := newSealer(s.key)
			require.NoError(t, err)
			_, what := o.rtp(sealed(t, other, ssrc, 1))
			require.Equal(t, authentic, what)
		}
		other, err = newSealer(s.key)
		require.NoError(t, err)
		_, what = o.rtp(sealed(t, other, 9999, 1))
		require.Equal(t, notAuthentic, what, "what a far end can have us remember is bounded")
		_, what = o.rtp(sealed(t, s, 7, 4))
		require.Equal(t, authentic, what, "those that are known go on")
	})
}

// Nobody's packets but the far end's leave a trace.
func TestOpenStrangers(t *testing.T) {
	eachSuite(t, func(t *testing.T, s *sealer, o *opener) {
		t.Helper()
		for ssrc := range uint32(3 * maxSources) {
			stranger, err := newSealer(newMasterKey(s.key.suite))
			require.NoError(t, err)
			_, what := o.rtp(sealed(t, stranger, ssrc, 9))
			require.Equal(t, notAuthentic, what)
		}
		require.Zero(t, o.sources)
		for ssrc := range uint32(3 * maxSources) {
			_, known := o.context.ROC(ssrc)
			require.False(t, known, "nor within the context")
		}
		plain, err := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{}})
		require.NoError(t, err)
		for ssrc := range uint32(3 * maxSources) {
			stranger, err := newSealer(newMasterKey(s.key.suite))
			require.NoError(t, err)
			binary.BigEndian.PutUint32(plain[4:], ssrc)
			b, ok := stranger.rtcp(append(make([]byte, 0, len(plain)+sealRoom), plain...))
			require.True(t, ok)
			_, what := o.rtcp(b)
			require.Equal(t, notAuthentic, what)
			_, known := o.context.Index(ssrc)
			require.False(t, known, "nor for reports")
		}
		require.Zero(t, o.reporters)
		_, what := o.rtp(sealed(t, s, 7, 1))
		require.Equal(t, authentic, what)
	})
}

func TestReplayWindow(t *testing.T) {
	eachSuite(t, func(t *testing.T, s *sealer, o *opener) {
		t.Helper()
		var packets [][]byte
		for number := range uint16(300) {
			packets = append(packets, sealed(t, s, 7, number))
		}
		for _, c := range []struct {
			number int
			want   authenticity
		}{
			{200, authentic},
			{200 - replayWindow + 1, authentic},
			{200 - replayWindow + 1, replayed},
			{200 - replayWindow, replayed},
			{199, authentic},
			{299, authentic},
			{299 - replayWindow, replayed},
		} {
			_, what := o.rtp(packets[c.number])
			require.Equal(t, c.want, what, "packet %d", c.number)
		}
	})
}

// No number is used twice under a key, whatever the order: that would give away both packets (RFC 3711 section 9.1).
func TestSealOnce(t *testing.T) {
	eachSuite(t, func(t *testing.T, s *sealer, o *opener) {
		t.Helper()
		for _, c := range []struct {
			number uint16
			want   bool
			why    string
		}{
			{10, true, "the first"},
			{9, false, "before the first: its number would be one of the roll-over before"},
			{12, true, "a gap"},
			{11, true, "which is filled"},
			{11, false, "once"},
			{12, false, "the newest again"},
			{10, false, "the first again"},
			{90, true, "a greater gap"},
			{27, true, "as late as is known"},
			{26, false, "later than that"},
			{91, true, "and on"},
			{30000, true, ""},
			{60000, true, ""},
			{100, true, "past the roll-over"},
			{65500, false, "long ago"},
			{99, true, ""},
			{90, true, "the number of one that was sent a roll-over ago"},
			{90, false, ""},
		} {
			b, ok := s.rtp(unsealed(7, c.number))
			require.Equal(t, c.want, ok, "%d %s", c.number, c.why)
			if ok {
				_, what := o.rtp(b)
				require.Equal(t, authentic, what, "%d %s", c.number, c.why)
			}
		}
		_, ok := s.rtp(unsealed(8, 101))
		require.False(t, ok, "another SSRC: its numbers are not known")
		_, ok = s.rtp(unsealed(7, 101)[:rtpHeaderSize-1])
		require.False(t, ok)
	})
}

func TestSealReports(t *testing.T) {
	eachSuite(t, func(t *testing.T, s *sealer, o *opener) {
		t.Helper()
		plain, err := rtcp.Marshal([]rtcp.Packet{&rtcp.SenderReport{SSRC: 7, PacketCount: 3}})
		require.NoError(t, err)
		report := func(s *sealer) []byte {
			b, ok := s.rtcp(append(make([]byte, 0, len(plain)+sealRoom), plain...))
			require.True(t, ok)
			return b
		}
		first := report(s)
		require.Len(t, first, len(plain)+4+s.key.suite.tag)
		again := append([]byte(nil), first...)
		b, what := o.rtcp(first)
		require.Equal(t, authentic, what)
		require.Equal(t, plain, b)
		_, what = o.rtcp(again)
		require.Equal(t, replayed, what)
		second := report(s)
		for n := range second {
			_, what = o.rtcp(second[:n])
			require.Equal(t, notAuthentic, what)
		}
		_, what = o.rtcp(plain)
		require.Equal(t, notAuthentic, what, "plain RTCP")
		stranger, err := newSealer(newMasterKey(s.key.suite))
		require.NoError(t, err)
		report(stranger) // a number that was not heard yet is looked at further
		_, what = o.rtcp(report(stranger))
		require.Equal(t, notAuthentic, what)
		_, what = o.rtcp(second)
		require.Equal(t, authentic, what)
		for ssrc := uint32(100); o.reporters < maxSources; ssrc++ {
			binary.BigEndian.PutUint32(plain[4:], ssrc)
			_, what = o.rtcp(report(s))
			require.Equal(t, authentic, what)
		}
		binary.BigEndian.PutUint32(plain[4:], 99)
		_, what = o.rtcp(report(s))
		require.Equal(t, notAuthentic, what, "what a far end can have us remember is bounded")
	})
}

// Nothing is allocated for a packet, sent or received.
func TestSecureAllocations(t *testing.T) {
	eachSuite(t, func(t *testing.T, s *sealer, o *opener) {
		t.Helper()
		b, number := unsealed(7, 0), uint16(0)
		ok, what := true, authentic
		allocated := testing.AllocsPerRun(1000, func() {
			number++
			binary.BigEndian.PutUint16(b[2:], number)
			packet, sent := s.rtp(b)
			_, got := o.rtp(packet)
			ok = ok && sent
			what = min(what, got)
		})
		require.True(t, ok)
		require.Equal(t, authentic, what)
		require.LessOrEqual(t, allocated, float64(poolDrops))
	})
}

// BenchmarkSecure is a packet encrypted and decrypted again.
func BenchmarkSecure(b *testing.B) {
	for i := range suites {
		b.Run(suites[i].name, func(b *testing.B) {
			k := newMasterKey(&suites[i])
			s, err := newSealer(k)
			require.NoError(b, err)
			o, err := newOpener(k)
			require.NoError(b, err)
			packet, number := unsealed(7, 0), uint16(0)
			b.ReportAllocs()
			for b.Loop() {
				number++
				binary.BigEndian.PutUint16(packet[2:], number)
				sealed, _ := s.rtp(packet)
				if _, what := o.rtp(sealed); what != authentic {
					b.Fatal(what)
				}
			}
		})
	}
}

func FuzzOpen(f *testing.F) {
	keys := make([]*masterKey, len(suites))
	for i := range suites {
		keys[i] = &masterKey{suite: &suites[i]}
		s, err := newSealer(keys[i])
		require.NoError(f, err)
		b, _ := s.rtp(unsealed(7, 1))
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= maxDatagram {
			return
		}
		for _, k := range keys {
			o, err := newOpener(k)
			require.NoError(t, err)
			if plain, what := o.rtp(b); (what == authentic) != (plain != nil) {
				t.Fatal(what)
			}
			if plain, what := o.rtcp(b); (what == authentic) != (plain != nil) {
				t.Fatal(what)
			}
		}
	})
}
