package testkit

import (
	"encoding/binary"
	"math"
	"os"
	"strings"
	"testing"
	"time"
)

// KeyPress is a key in an RTPScript.
type KeyPress struct {
	// At is when it goes down, after the first packet.
	At time.Duration
	// Key is 0-9, *, #, A-D.
	Key byte
	// For is how long it is held; 0 means 100 ms.
	For time.Duration
}

// RTPScript is what a caller's telephone sends: one stream of 20 ms packets, in which telephone-events
// take the place of audio while a key is down (RFC 4733 section 2.5). sipp's own files of keys are
// streams by themselves and would be strangers beside the audio.
type RTPScript struct {
	// Tone is the frequency between the keys, in whole hertz; 0: nothing is sent between them.
	Tone   int
	Keys   []KeyPress
	Length time.Duration
}

// Payload types of a script, as the scenarios' SDP has them.
const (
	payloadMuLaw = 0
	payloadALaw  = 8
	payloadEvent = 101
)

// samplesPerPacket are 20 ms.
const samplesPerPacket = sampleRate / 50

// WritePcap writes the script as a capture file, for sipp's play_pcap_audio, which puts addresses and
// ports of its own in.
func (s RTPScript) WritePcap(tb testing.TB, path string) {
	tb.Helper()
	b := pcapHeader()
	for _, p := range s.packets() {
		b = appendFrame(b, p.at, p.payload)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		tb.Fatalf("write a script of RTP: %v", err)
	}
}

type timedPacket struct {
	at      time.Duration
	payload []byte // RTP
}

// packets are the script's RTP.
func (s RTPScript) packets() []timedPacket {
	w := rtpWriter{ssrc: 0x5e1f_c0de, first: true}
	keys := s.Keys
	tick := time.Duration(samplesPerPacket) * time.Second / sampleRate
	second := make([]byte, sampleRate)
	for i := range second {
		second[i] = toALaw(math.Sin(2*math.Pi*float64(s.Tone*i)/sampleRate) / 4)
	}
	for at := time.Duration(0); at < s.Length; at += tick {
		timestamp := uint32(at * sampleRate / time.Second)
		if len(keys) > 0 && at >= keys[0].At {
			at += w.key(at, timestamp, keys[0])
			keys = keys[1:]
			continue
		}
		if s.Tone == 0 {
			if len(keys) == 0 {
				break
			}
			continue
		}
		from := int(timestamp) % sampleRate
		w.packet(at, timestamp, payloadALaw, second[from:from+samplesPerPacket])
	}
	return w.packets
}

// rtpWriter numbers packets.
type rtpWriter struct {
	ssrc     uint32
	sequence uint16
	first    bool // the next packet begins a talkspurt
	marked   bool // the next packet begins an event
	packets  []timedPacket
}

// key sends an event: every 20 ms while the key is down, then the end three times at once (RFC 4733
// section 2.5.1.4), and returns how long it took beyond its first tick.
func (w *rtpWriter) key(at time.Duration, timestamp uint32, k KeyPress) time.Duration {
	if k.For == 0 {
		k.For = 100 * time.Millisecond
	}
	const tick = 20 * time.Millisecond
	w.marked = true
	event := byte(strings.IndexByte("0123456789*#ABCD", k.Key))
	var took time.Duration
	for ; took < k.For; took += tick {
		w.event(at+took, timestamp, event, false, took+tick)
	}
	for range 3 {
		w.event(at+took, timestamp, event, true, took)
	}
	return took
}

func (w *rtpWriter) event(at time.Duration, timestamp uint32, event byte, end bool, lasted time.Duration) {
	const volume = 10 // −10 dBm0
	body := []byte{event, volume, 0, 0}
	if end {
		body[1] |= 0x80
	}
	binary.BigEndian.PutUint16(body[2:], uint16(lasted*sampleRate/time.Second))
	w.packet(at, timestamp, payloadEvent, body)
}

// packet is RFC 3550 section 5.1.
func (w *rtpWriter) packet(at time.Duration, timestamp uint32, payloadType byte, body []byte) {
	b := make([]byte, 12, 12+len(body))
	b[0], b[1] = 0x80, payloadType
	if w.first || w.marked {
		b[1] |= 0x80
		w.first, w.marked = false, false
	}
	binary.BigEndian.PutUint16(b[2:], w.sequence)
	binary.BigEndian.PutUint32(b[4:], timestamp)
	binary.BigEndian.PutUint32(b[8:], w.ssrc)
	w.sequence++
	w.packets = append(w.packets, timedPacket{at, append(b, body...)})
}

// pcapHeader begins a file of Ethernet frames with times in microseconds.
func pcapHeader() []byte {
	b := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	b = binary.LittleEndian.AppendUint16(b, 2)
	b = binary.LittleEndian.AppendUint16(b, 4)
	b = append(b, make([]byte, 8)...)
	b = binary.LittleEndian.AppendUint32(b, 65535)
	return binary.LittleEndian.AppendUint32(b, 1)
}

// appendFrame adds one packet in UDP, IPv4 and Ethernet, on ports that sipp replaces.
func appendFrame(b []byte, at time.Duration, payload []byte) []byte {
	const port = 4000
	udp := binary.BigEndian.AppendUint16(nil, port)
	udp = binary.BigEndian.AppendUint16(udp, port)
	udp = binary.BigEndian.AppendUint16(udp, uint16(8+len(payload)))
	udp = append(udp, 0, 0) // no checksum
	udp = append(udp, payload...)

	ip := []byte{0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1}
	binary.BigEndian.PutUint16(ip[2:], uint16(20+len(udp)))

	ethernet := append(make([]byte, 12), 0x08, 0x00)
	size := uint32(len(ethernet) + len(ip) + len(udp))
	b = binary.LittleEndian.AppendUint32(b, uint32(at/time.Second))
	b = binary.LittleEndian.AppendUint32(b, uint32(at%time.Second/time.Microsecond))
	b = binary.LittleEndian.AppendUint32(b, size)
	b = binary.LittleEndian.AppendUint32(b, size)
	return append(append(append(b, ethernet...), ip...), udp...)
}
