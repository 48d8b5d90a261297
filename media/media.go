// Package media owns audio: RTP sockets and ports, SDP offer and answer, DTMF, prompts being
// played, the bridge between two legs, and the tap a recorder listens on.
//
// It is a leaf: it knows nothing of calls or SIP, and it alone imports pion. Package sip opens a
// [Stream] for each leg and carries its SDP; package call plays prompts on streams and bridges them;
// package recorder implements [Tap].
//
// Goroutines: every method of [Engine] and [Stream] may be called from any goroutine, but not by a [Tap]: that is
// called on the packet's way, by whoever owns the stream's line (its shard), which must not wait for itself; it must
// not block. The key, fact and fault functions of one stream are called one after another, by a goroutine of the
// engine that is that stream's alone, and may call the stream; while one of them lasts no other is told that stream's.
// What panics costs its stream, which is closed, and no other.
package media

import (
	"context"
	"errors"
	"net/netip"
	"time"
)

// FrameDuration is how much audio one packet of ours carries (ptime, RFC 3551 section 4.2).
const FrameDuration = 20 * time.Millisecond

// SampleRate of everything this package handles, in samples per second (G.711).
const SampleRate = 8000

// Errors of this package that a caller tells apart.
var (
	// ErrNoPorts: every port of the range is in use or resting.
	ErrNoPorts = errors.New("media: no free RTP port")
	// ErrNotAcceptable: the description has no audio, or no codec, that we share (SIP 488).
	ErrNotAcceptable = errors.New("media: nothing acceptable in the session description")
	// ErrBadSDP: the description cannot be read (SIP 400).
	ErrBadSDP = errors.New("media: malformed session description")
	// ErrClosed: the stream or the engine is closed.
	ErrClosed = errors.New("media: closed")
)

// Engine makes streams and joins them. It is the port behind which the media path can be replaced
// whole; the suite in package media/mediatest is what every engine passes.
type Engine interface {
	// Open binds an RTP and RTCP port pair from the range for one leg.
	// It returns ErrNoPorts when none is free.
	Open(o StreamOptions) (Stream, error)
	// Bridge passes audio and telephone-events between a and b until the returned function is
	// called or either stream closes; tap, if not nil, hears both sides. Whatever was playing on
	// either stream is stopped. The returned function waits until no more packet can reach tap.
	// A key that comes by another method than the far end can take reaches it once: as a telephone-event
	// if it agreed to them, else as tones. Of a room's first two parties it takes the place: that is over then, and no
	// packet between them is lost.
	Bridge(a, b Stream, tap Tap) (unbridge func(), err error)
	// Mix has several parties hear each other until the room is closed, as Room says; tap may be nil. Whatever was
	// playing on their streams is stopped. A stream that closes leaves the room, and the others go on. If the first two
	// are in a bridge with each other, in that order, the room takes its place, and no packet between them is lost. Errors:
	// ErrParties, ErrForeign, ErrBridged, ErrClosed; nothing is changed then.
	Mix(tap Tap, parties ...Party) (Room, error)
	// Listen has tap hear what comes on one stream, as SideA, until stop is called or the stream closes, whatever
	// else is done with it. A stream has one such tap at a time. stop waits until no more packet can reach tap.
	Listen(s Stream, tap Tap) (stop func(), err error)
	// Lag returns what tells by how long what the engine sends by the clock was late, on average, since it was asked last: of the
	// worst of its parts. 0 is on time; above half a second packets are left out. It is for one goroutine, and each call of Lag
	// makes another.
	Lag() (lag func() time.Duration)
	// Close closes all streams and waits for the engine's goroutines.
	Close() error
}

// StreamOptions say how one leg's audio begins.
type StreamOptions struct {
	// Signalling is the address the leg's SIP comes from: with the address in the SDP it is trusted
	// as the first source of RTP.
	Signalling netip.Addr
	// Advertise is the address that the far end is told in SDP, as long as the stream lives; the zero value means
	// Options.Advertise. It is of the family of Options.Address, unless that is [::].
	Advertise netip.Addr
	// Prefer is the codec to put first in an offer (the other leg's, so that packets pass through);
	// empty means the engine's order.
	Prefer Codec
	// Codecs are offered and accepted, in order of preference; empty means the engine's.
	Codecs []Codec
	// Secure is whether the audio is encrypted; the zero value means SecurityOff.
	Secure Security
	// OnFault, if not nil, is told once that a fault of ours (a panic, contained) has closed the stream, so
	// that its leg can be ended: nobody is heard on it any more. It is called as key functions are,
	// may call the stream, and must not block.
	OnFault func()
	// OnFact, if not nil, is told what is found out about the stream's audio, in order: each Fact says when. That may
	// be before the call is answered, where a phone is heard or spoken to before. It is called from an engine
	// goroutine, may call the stream, and must not block.
	OnFact func(Fact)
	// Resume, if not nil, has the stream go on as the one did whose offsets these are: the far end sees one RTP stream.
	Resume *Offsets
}

// Stream is one leg's audio: a socket, what was agreed by offer and answer, what is played to the
// far end and what keys it pressed.
type Stream interface {
	// Offer describes this stream as an SDP offer (RFC 3264 section 5). Called again, the version
	// in the o= line rises.
	Offer() ([]byte, error)
	// Current offers what the far end was told last, version and all, so that it sees that nothing is to
	// change (RFC 3264 section 8): for a re-INVITE that only refreshes the session. Before anything was
	// told it is Offer.
	Current() ([]byte, error)
	// Accept takes the far end's answer to our offer (RFC 3264 section 7).
	// Errors: ErrBadSDP, ErrNotAcceptable.
	Accept(answer []byte) error
	// Answer takes the far end's offer, first or later (hold), and returns our answer (RFC 3264
	// sections 6 and 8). Errors: ErrBadSDP, ErrNotAcceptable; then what was agreed before still holds.
	Answer(offer []byte) (answer []byte, err error)
	// Propose is Answer that changes nothing yet: what was agreed before holds until commit is called,
	// which is to be done when the answer has been sent. A later offer whose answer did not get out leaves
	// the session as it was (RFC 3261 section 14.1). A commit overtaken by another offer, answer or commit
	// does nothing. Errors: as Answer; commit is then nil.
	Propose(offer []byte) (answer []byte, commit func(), err error)
	// Held reports whether the far end's last description wants no audio from us (sendonly,
	// inactive, or c=0.0.0.0).
	Held() bool
	// Codec is the codec agreed on; empty before.
	Codec() Codec
	// Play sends clips one after another, paced, and returns nil when the last sample was sent, or
	// ctx's cause, or ErrClosed. It replaces what another Play was sending (that Play returns
	// ErrReplaced). A clip with Loop never ends by itself.
	Play(ctx context.Context, clips ...Clip) error
	// SendKey presses a key towards the far end, for 100 ms, in place of what another Play was sending, and
	// returns when its end was sent, or as Play does: as a telephone-event (RFC 4733), or as its two tones
	// (ITU-T Q.23) if the far end did not agree to those. Errors also: ErrNoKeys.
	SendKey(ctx context.Context, k Key) error
	// Tone adds a clip, once, to whatever this far end hears from now on: a prompt, silence, or the other
	// party of a bridge. Nobody else hears it: not the other party, and not the bridge's tap. It returns at
	// once. A later tone takes the place of one that still sounds; an empty clip ends it. What falls into a
	// time when nothing is sent (the far end holds us) is not made up for.
	Tone(c Clip)
	// OnKey sets the function that is told each key the far end presses, once per key. The method
	// (RFC 4733, SIP INFO, tones in the audio) first seen on the leg wins and the others are ignored. Tones
	// are looked for in the audio of a far end that did not agree to telephone-events, unless
	// Options.NoInband is set. Nil forgets.
	OnKey(f func(Key))
	// Press enters a key received by signalling (SIP INFO).
	Press(k Key)
	// Stats may be asked at any time, also after Close.
	Stats() Stats
	// Offsets are what the far end knows our RTP by, for a stream that is to go on after a restart. They may be asked
	// at any time, also after Close.
	Offsets() Offsets
	// Local is where this stream receives RTP.
	Local() netip.AddrPort
	// Close stops everything on the stream and lets its ports rest. Idempotent.
	Close() error
}

// ErrReplaced is returned by a Play that another Play or a bridge cut short.
var ErrReplaced = errors.New("media: replaced by something else to play")

// Codec is an RTP payload encoding, by its name in the configuration.
type Codec string

// The codecs of a caller's leg (RFC 3551 section 4.5.14).
const (
	PCMA Codec = "pcma"
	PCMU Codec = "pcmu"
)

// Clip is audio to play: a prompt, music.
type Clip struct {
	// Name is what people call it, for logs.
	Name string
	// ALaw is G.711 A-law at 8,000 samples per second. It is shared: never write to it.
	ALaw []byte
	// Loop plays it again and again.
	Loop bool
}

// Duration of one round of the clip.
func (c Clip) Duration() time.Duration {
	return time.Duration(len(c.ALaw)) * time.Second / SampleRate
}

// Key is one key of a telephone, pressed once: '0'..'9', '*', '#', 'A'..'D' (RFC 4733 section 3.2).
type Key byte

// Valid reports whether k is a key that exists.
func (k Key) Valid() bool {
	return k >= '0' && k <= '9' || k == '*' || k == '#' || k >= 'A' && k <= 'D'
}

func (k Key) String() string { return string(rune(k)) }

// Side is whose voice a packet carries.
type Side uint8

// The sides of a bridge: its first and its second stream. In a recording, left and right.
const (
	SideA Side = iota
	SideB
)

// Frame is one packet of audio as a tap hears it.
type Frame struct {
	Side Side
	// At is when the packet arrived.
	At time.Time
	// SSRC, Sequence and Timestamp are the sender's own (RFC 3550 section 5.1).
	SSRC      uint32
	Sequence  uint16
	Timestamp uint32
	// ALaw is the audio, translated if need be; valid only during the call.
	ALaw []byte
}

// Tap hears what a bridge carries. It is called on an engine's shard, for one bridge from one goroutine at a time;
// it must not block, must call neither stream nor engine, and must copy what it keeps.
type Tap interface {
	Frame(f Frame)
}

// Stats of one stream, since it opened.
type Stats struct {
	PacketsIn, PacketsOut   uint64
	OctetsIn, OctetsOut     uint64        // RTP payload
	Lost                    uint64        // by sequence numbers (RFC 3550 A.3), never below 0
	Duplicate               uint64        // of those that came before; they go no further
	Late                    uint64        // came after one that was sent after them: late, or out of order
	Comfort                 uint64        // of PacketsIn: of comfort noise (RFC 3389), or without audio (RFC 6263)
	Strangers               uint64        // packets from a source that is not the leg's
	Dropped                 uint64        // not RTP, or a payload type that was not agreed
	Secure                  bool          // SRTP is agreed on
	Unauthentic             uint64        // not encrypted with the far end's key, or changed on the way
	Jitter                  time.Duration // of what is received (RFC 3550 A.8)
	FirstPacket, LastPacket time.Time     // received; zero when none
	// What the far end reported of what we send (RFC 3550 section 6.4.1): packets lost, and jitter; 0 while it has
	// reported nothing. RoundTrip is measured by its reports, each further one counting an eighth; 0 while there is none.
	FarLost   uint64
	FarJitter time.Duration
	RoundTrip time.Duration
	// MOSIn is how good a conversation is by what we hear, MOSOut by what the far end reports to hear, MOS the worse of
	// those known: mean opinion scores by the E-model (ITU-T G.107), 1 to 4.41, from loss, jitter and round trip of the
	// whole stream; 0 when not known, MOSIn before a second of audio.
	MOS, MOSIn, MOSOut float64
}
