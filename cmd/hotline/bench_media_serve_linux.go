package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync"
	"time"

	"hotline/call"
	"hotline/config"
	"hotline/media"
	"hotline/media/mediaload"
	"hotline/recorder"
)

// benchServeMediaCmd is the process that benchMediaCmd loads: it serves the calls that it is told of on its standard
// input, a line each, and nothing else, and ends with it.
type benchServeMediaCmd struct {
	Mode   string `arg:""`
	Engine string
	Low    uint16
	High   uint16
}

// mediaAsk is what the server is asked: to join a call's parties, to part those of all calls, or else for figures.
type mediaAsk struct {
	Call   int      `json:"call,omitempty"`
	Offers [][]byte `json:"offers,omitempty"`
	Part   bool     `json:"part,omitempty"`
}

// mediaSays is the answer.
type mediaSays struct {
	Answers   [][]byte      `json:"answers,omitempty"`
	User      time.Duration `json:"user,omitempty"`      // ns of CPU time so far
	System    time.Duration `json:"system,omitempty"`    // likewise
	Memory    int64         `json:"memory,omitempty"`    // octets resident
	Allocated uint64        `json:"allocated,omitempty"` // objects so far
}

// Run implements the command.
func (b *benchServeMediaCmd) Run(con *console) (err error) {
	collectSeldom()
	s := &mediaServer{mode: b.Mode}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.open(b.Engine, media.PortRange{Lo: b.Low, Hi: b.High}); err != nil {
		return fmt.Errorf("bench serve-media: %w", err)
	}
	in, out := json.NewDecoder(con.in), json.NewEncoder(con.out)
	for {
		var asked mediaAsk
		if err := in.Decode(&asked); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("bench serve-media: %w", err)
		}
		said, err := s.answer(asked)
		if err != nil {
			return fmt.Errorf("bench serve-media: %w", err)
		}
		if err := out.Encode(said); err != nil {
			return fmt.Errorf("bench serve-media: %w", err)
		}
	}
}

// mediaServer joins parties: by an engine, or by the plain relay. Only the command's goroutine uses it.
type mediaServer struct {
	mode     string
	engine   media.Engine
	plain    *mediaload.Plain
	recorder *recorder.Recorder // nil when nothing is recorded
	folder   string             // of recordings

	// Of the calls that go on:
	ends       []func() error
	recordings []call.Recording
	playing    sync.WaitGroup
}

func (s *mediaServer) open(engine string, r media.PortRange) (err error) {
	if s.mode == mediaPlain {
		s.plain = mediaload.NewPlain(loopback, r)
	} else if makes := mediaEngines[config.MediaEngine(engine)]; makes == nil {
		return fmt.Errorf("no such engine: %q", engine)
	} else if s.engine, err = makes(media.Options{Address: loopback, Ports: r}); err != nil {
		return err
	}
	if s.mode == mediaRelay || s.mode == mediaPrompts {
		return nil
	}
	if s.folder, err = os.MkdirTemp("", "hotline-bench-"); err != nil {
		return fmt.Errorf("make a folder for the bench: %w", err)
	}
	s.recorder, err = recorder.New(recorder.Options{Dir: s.folder})
	return err
}

func (s *mediaServer) answer(a mediaAsk) (said mediaSays, err error) {
	switch {
	case a.Part:
		return said, s.part()
	case a.Offers == nil:
		return s.figures()
	}
	said.Answers, err = s.join(a.Call, a.Offers)
	return said, err
}

// join begins a call.
func (s *mediaServer) join(number int, offers [][]byte) (answers [][]byte, err error) {
	var tap media.Tap
	if s.recorder != nil {
		r, err := s.recorder.Start("bench-"+strconv.Itoa(number), time.Now())
		if err != nil {
			return nil, err
		}
		tap, s.recordings = r, append(s.recordings, r)
	}
	if s.plain != nil {
		return s.plain.Join(offers, tap)
	}
	o := media.StreamOptions{Secure: media.SecurityOff}
	if s.mode == mediaSRTP {
		o.Secure = media.SecurityRequired
	}
	var streams []media.Stream
	for _, offer := range offers {
		stream, err := s.engine.Open(o)
		if err != nil {
			return nil, err
		}
		s.ends = append(s.ends, stream.Close)
		answer, err := stream.Answer(offer)
		if err != nil {
			return nil, err
		}
		streams, answers = append(streams, stream), append(answers, answer)
	}
	switch {
	case s.mode == mediaPrompts:
		clip := mediaload.Clip(number)
		for _, stream := range streams {
			s.playing.Go(func() { _ = stream.Play(context.Background(), clip) }) // until the stream closes
		}
	case len(streams) == 2:
		_, err = s.engine.Bridge(streams[0], streams[1], tap) // it ends with its streams
	}
	return answers, err
}

// part ends all calls: first what feeds the recordings, then these, all at once since each waits for the disk.
func (s *mediaServer) part() error {
	var errs []error
	if s.plain != nil {
		errs = append(errs, s.plain.Part())
	}
	for _, end := range s.ends {
		errs = append(errs, end())
	}
	s.playing.Wait()
	closed := make([]error, len(s.recordings))
	var all sync.WaitGroup
	for i, r := range s.recordings {
		all.Go(func() { closed[i] = r.Close(time.Now()) })
	}
	all.Wait()
	s.ends, s.recordings = nil, nil
	return errors.Join(append(errs, closed...)...)
}

// figures are what the process has used by now.
func (s *mediaServer) figures() (said mediaSays, err error) {
	if said.User, said.System, err = cpuTimes(); err != nil {
		return said, err
	}
	objects := []metrics.Sample{{Name: "/gc/heap/allocs:objects"}}
	metrics.Read(objects)
	said.Allocated = objects[0].Value.Uint64()
	said.Memory, err = resident()
	return said, err
}

func (s *mediaServer) close() error {
	errs := []error{s.part()}
	if s.engine != nil {
		errs = append(errs, s.engine.Close())
	}
	if s.recorder != nil {
		errs = append(errs, s.recorder.Close())
	}
	if s.folder != "" {
		errs = append(errs, os.RemoveAll(s.folder))
	}
	return errors.Join(errs...)
}

// resident is how much memory this process has, in octets (proc(5): statm).
func resident() (int64, error) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, fmt.Errorf("ask for the memory used: %w", err)
	}
	var size, pages int64
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		return 0, fmt.Errorf("read the memory used: %w", err)
	}
	return pages * int64(os.Getpagesize()), nil
}

// machineTime is how long the processors of the machine were at work, all together (proc(5): stat), what its host took
// from it included.
func machineTime() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("ask for the machine's CPU time: %w", err)
	}
	var user, nice, system, idle, wait, irq, softirq, steal int64
	first, _, _ := strings.Cut(string(text), "\n")
	if _, err := fmt.Sscanf(first, "cpu %d %d %d %d %d %d %d %d", &user, &nice, &system, &idle, &wait, &irq, &softirq, &steal); err != nil {
		return 0, fmt.Errorf("read the machine's CPU time: %w", err)
	}
	const perSecond = 100 // USER_HZ, the same on every system that Go runs on
	return time.Duration(user+nice+system+irq+softirq+steal) * time.Second / perSecond, nil
}
