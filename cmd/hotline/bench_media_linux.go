package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"hotline/media"
	"hotline/media/mediaload"
)

// benchOnLinux are the measurements that need Linux: epoll, and arrival times from the kernel.
type benchOnLinux struct {
	Media      benchMediaCmd      `cmd:"" name:"media" help:"CPU per call-second, memory, loss and added latency of the audio path, next to a plain relay."`
	ServeMedia benchServeMediaCmd `cmd:"" hidden:""`
}

// benchMediaCmd loads media servers in turn, each in a process of its own that is started anew for each round, with
// calls whose phones are all in this process; see package mediaload for how packets are seen.
type benchMediaCmd struct {
	Calls   []int     `help:"Calls at once." default:"25,100,200,400,800"`
	Seconds int       `help:"How long each round is measured, 1 to 600; a second goes before." default:"5"`
	Modes   []string  `help:"What the engine does: ${enum}." enum:"relay,recorded,srtp,prompts" default:"relay,recorded,srtp,prompts"`
	Engines []string  `help:"Engines to measure: ${enum}." enum:"epoll,portable" default:"epoll"`
	Pairs   int       `help:"Rounds of each; the servers take turns, and the middle one by CPU counts." default:"3"`
	Ports   portRange `help:"UDP ports that may be bound, on loopback: at 800 calls some 5,000." default:"20000-29999"`
	JSON    bool      `help:"Figures as JSON, a line for each row."`
}

// What the servers do. The plain relay records too, by the same recorder.
const (
	mediaPlain    = "plain"    // mediaload.Plain, recorded
	mediaRelay    = "relay"    // bridged
	mediaRecorded = "recorded" // bridged and recorded
	mediaSRTP     = "srtp"     // bridged, recorded, and encrypted with both parties
	mediaPrompts  = "prompts"  // a caller alone, who hears a prompt and speaks
)

const (
	// mediaWarm goes before what is measured: buffers fill, sources are locked, files begin.
	mediaWarm = time.Second
	// mediaFew calls come and go first: what starting costs is not counted.
	mediaFew = 5
	// mediaMost bounds the calls: each has four sockets and a file in the server.
	mediaMost = 4000
)

// portRange is a flag: LOW-HIGH.
type portRange struct{ media.PortRange }

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *portRange) UnmarshalText(text []byte) error {
	low, high, _ := strings.Cut(string(text), "-")
	lo, err := strconv.ParseUint(low, 10, 16)
	hi, errHigh := strconv.ParseUint(high, 10, 16)
	if err := errors.Join(err, errHigh); err != nil {
		return fmt.Errorf("%q is no range of ports, like 20000-29999: %w", text, err)
	}
	p.Lo, p.Hi = uint16(lo), uint16(hi)
	return nil
}

// parts are the ports of the server, two thirds, and those of the phones.
func (p portRange) parts() (server, phones media.PortRange) {
	middle := p.Lo + (p.Hi-p.Lo)/3*2
	return media.PortRange{Lo: p.Lo, Hi: middle}, media.PortRange{Lo: middle + 1, Hi: p.Hi}
}

// mediaKind is a server that is measured.
type mediaKind struct{ engine, mode string }

func (k mediaKind) String() string { return strings.TrimSpace(k.engine + " " + k.mode) }

// load is its calls' load.
func (k mediaKind) load(calls int, phones media.PortRange) mediaload.Options {
	return mediaload.Options{Calls: calls, Alone: k.mode == mediaPrompts, Secure: k.mode == mediaSRTP, Address: loopback, Ports: phones}
}

// kinds are the servers of a round, the baseline first.
func (b *benchMediaCmd) kinds() []mediaKind {
	kinds := []mediaKind{{mode: mediaPlain}}
	for _, engine := range b.Engines {
		for _, mode := range b.Modes {
			kinds = append(kinds, mediaKind{engine, mode})
		}
	}
	return kinds
}

// check refuses what makes no sense.
func (b *benchMediaCmd) check() error {
	if len(b.Calls) == 0 || slices.Min(b.Calls) < 1 || slices.Max(b.Calls) > mediaMost {
		return fmt.Errorf("bench media: --calls must be 1 to %d", mediaMost)
	}
	if b.Seconds < 1 || b.Seconds > 600 || b.Pairs < 1 {
		return errors.New("bench media: --seconds must be 1 to 600, --pairs above 0")
	}
	const each = 6 // two pairs and two phones
	if need := each * (slices.Max(b.Calls) + mediaFew); int(b.Ports.Hi)-int(b.Ports.Lo) < need {
		return fmt.Errorf("bench media: --ports must hold %d ports for %d calls", need, slices.Max(b.Calls))
	}
	return nil
}

// Run implements the command.
func (b *benchMediaCmd) Run(con *console) error {
	if err := b.check(); err != nil {
		return err
	}
	ctx, stop := con.untilSignal()
	defer stop()
	report := &mediaReport{con: con, json: b.JSON}
	report.head(b)
	for _, calls := range b.Calls {
		rounds := map[mediaKind][]mediaRound{}
		for i := range b.Pairs {
			kinds := b.kinds()
			turn := i % len(kinds) // none has the better place
			for _, k := range slices.Concat(kinds[turn:], kinds[:turn]) {
				r, err := b.round(ctx, k, calls)
				if ctx.Err() != nil {
					return errStopped
				}
				if err != nil {
					return fmt.Errorf("bench media: %s with %d calls: %w", k, calls, err)
				}
				rounds[k] = append(rounds[k], r)
			}
		}
		for _, k := range b.kinds() {
			report.row(mediaRowOf(calls, k, rounds[k], rounds[mediaKind{mode: mediaPlain}]))
		}
	}
	report.foot()
	return report.err
}

// mediaRound is one server under one load.
type mediaRound struct {
	load        mediaload.Figures
	user, sys   time.Duration // of the server's process, in the steady part
	callSeconds float64       // that these paid for
	memory      float64       // octets a call
	allocations float64       // a packet received
	others      float64       // processors that neither the server nor the load had
}

// perCallSecond is the CPU time of a second of a call.
func (r *mediaRound) perCallSecond() time.Duration {
	return time.Duration(float64(r.user+r.sys) / r.callSeconds)
}

// round starts a server, loads it with a few calls that end, and then with those that are measured.
func (b *benchMediaCmd) round(ctx context.Context, k mediaKind, calls int) (r mediaRound, err error) {
	server, phones := b.Ports.parts()
	s, err := startProcess(ctx, "bench", "serve-media", k.mode, "--engine", k.engine,
		"--low", strconv.Itoa(int(server.Lo)), "--high", strconv.Itoa(int(server.Hi)))
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if _, err := b.load(ctx, s, k.load(mediaFew, phones), mediaWarm/2); err != nil {
		return r, err
	}
	if _, err := s.askMedia(mediaAsk{Part: true}); err != nil {
		return r, err
	}
	empty, err := s.askMedia(mediaAsk{})
	if err != nil {
		return r, err
	}
	r, err = b.load(ctx, s, k.load(calls, phones), time.Duration(b.Seconds)*time.Second)
	r.memory = (r.memory - float64(empty.Memory)) / float64(calls)
	return r, err
}

// load connects calls, and measures them once they have spoken for a while. memory is the whole process's.
func (b *benchMediaCmd) load(ctx context.Context, s *server, o mediaload.Options, d time.Duration) (r mediaRound, err error) {
	l, err := mediaload.Open(o)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	for call := range o.Calls {
		said, err := s.askMedia(mediaAsk{Call: call, Offers: l.Offers(call)})
		if err != nil {
			return r, err
		}
		if err := l.Connect(call, said.Answers); err != nil {
			return r, err
		}
	}
	if _, err := l.Talk(ctx, min(mediaWarm, d)); err != nil {
		return r, err
	}
	before, busy, err := s.mediaNow()
	if err != nil {
		return r, err
	}
	began := time.Now()
	l.Steady()
	sent, err := l.Talk(ctx, d)
	if err != nil {
		return r, err
	}
	took := time.Since(began)
	after, busyAfter, err := s.mediaNow()
	if err != nil {
		return r, err
	}
	perSecond := int(time.Second / media.FrameDuration)
	parties := 2
	if o.Alone {
		parties = 1
	}
	r = mediaRound{
		user: after.User - before.User, sys: after.System - before.System, memory: float64(after.Memory),
		callSeconds: float64(sent) / float64(perSecond*parties),
		allocations: float64(after.Allocated-before.Allocated) / float64(sent),
	}
	r.others = max(0, busyAfter-busy-r.user-r.sys).Seconds() / took.Seconds()
	r.load, err = l.Rest(ctx)
	return r, err
}

// mediaNow asks the server for its figures, and the machine for the time that all but this process were at work.
func (s *server) mediaNow() (said mediaSays, busy time.Duration, err error) {
	if said, err = s.askMedia(mediaAsk{}); err != nil {
		return said, 0, err
	}
	own, err := cpuTime()
	if err != nil {
		return said, 0, err
	}
	all, err := machineTime()
	return said, all - own, err
}

// askMedia asks a media server one thing.
func (s *server) askMedia(a mediaAsk) (said mediaSays, err error) {
	text, err := json.Marshal(a)
	if err != nil {
		return said, fmt.Errorf("ask the server: %w", err)
	}
	if _, err := io.WriteString(s.in, string(text)+"\n"); err != nil {
		return said, fmt.Errorf("ask the server: %w", err)
	}
	return said, s.hear(&said)
}
