package ivr

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/media"
)

// script is a caller who does things at set times, and a transcript of what the line did. As the port
// says, keys pressed ahead are taken in order and a key cuts the prompts short.
type script struct {
	begin      time.Time
	clips      map[string]time.Duration
	acts       []act
	transcript []string

	full    bool // no message can be kept
	filled  bool // none can but the first
	own     []media.Key
	answers map[string]string
}

// act is a key, or the end of the line.
type act struct {
	at   time.Duration
	key  media.Key
	fail error
}

var _ call.Line = (*script)(nil)

func newScript(t *testing.T, clips, acts []string) *script {
	t.Helper()
	s := &script{begin: time.Now(), clips: make(map[string]time.Duration)}
	for _, line := range clips {
		name, text, _ := strings.Cut(line, " ")
		d, err := time.ParseDuration(text)
		require.NoError(t, err)
		s.clips[name] = d
	}
	for _, line := range acts {
		text, what, _ := strings.Cut(line, " ")
		at, err := time.ParseDuration(text)
		require.NoError(t, err)
		switch what {
		case "hangup":
			s.acts = append(s.acts, act{at: at, fail: &call.LegEnd{By: call.Far, Why: call.CauseBye}})
		case "moved":
			s.acts = append(s.acts, act{at: at, fail: call.ErrMoved})
		default:
			s.acts = append(s.acts, act{at: at, key: media.Key(what[0])})
		}
	}
	return s
}

func (s *script) ID() string { return "call-1" }

func (s *script) Ask(ctx context.Context, wait time.Duration, prompts ...string) (media.Key, error) {
	s.note("ask %s", strings.Join(prompts, " "))
	limit := wait
	for _, p := range prompts {
		limit += s.clips[p]
	}
	if len(s.acts) > 0 {
		next := s.acts[0]
		if until := next.at - time.Since(s.begin); until < limit {
			s.acts = s.acts[1:]
			if err := sleep(ctx, until); err != nil {
				return 0, err
			}
			if next.fail == nil {
				s.note("key %s", next.key)
			}
			return next.key, next.fail
		}
	}
	if err := sleep(ctx, limit); err != nil {
		return 0, err
	}
	s.note("no key")
	return 0, call.ErrNoKey
}

func (s *script) Say(ctx context.Context, prompts ...string) error {
	s.note("say %s", strings.Join(prompts, " "))
	var all time.Duration
	for _, p := range prompts {
		all += s.clips[p]
	}
	return sleep(ctx, all)
}

func (s *script) During(ctx context.Context, f func(context.Context), prompts ...string) error {
	s.note("during %s", strings.Join(prompts, " "))
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	defer func() {
		cancel()
		<-done
	}()
	go func() {
		defer close(done)
		f(ctx)
	}()
	if len(s.acts) > 0 && s.acts[0].fail != nil {
		select {
		case <-done:
			return nil
		case <-time.After(s.acts[0].at - time.Since(s.begin)):
			return s.acts[0].fail
		}
	}
	<-done
	return nil
}

// Leave takes what is said until the key, for 5 s at most; a message of less than 1 s is none, and none can be kept
// where there is the answer full.
func (s *script) Leave(ctx context.Context, o call.MessageOptions) error {
	again := ""
	if o.Again {
		again = " again"
	}
	s.note("leave %s %s %s%s", o.Queue, o.Max, o.Silence, again)
	if s.full || s.filled && o.Again {
		return call.ErrNotKept
	}
	begun := time.Now()
	if len(s.acts) > 0 && s.acts[0].at-time.Since(s.begin) < 5*time.Second {
		next := s.acts[0]
		s.acts = s.acts[1:]
		if err := sleep(ctx, next.at-time.Since(s.begin)); err != nil {
			return err
		}
		if next.fail != nil {
			return next.fail
		}
	} else if err := sleep(ctx, 5*time.Second); err != nil {
		return err
	}
	if time.Since(begun) < time.Second {
		return call.ErrNoMessage
	}
	return nil
}

// Hear plays the message for 3 s.
func (s *script) Hear(ctx context.Context, wait time.Duration, prompts ...string) (media.Key, error) {
	s.clips["message"] = 3 * time.Second
	return s.Ask(ctx, wait, append([]string{"message"}, prompts...)...)
}

func (s *script) Rate(question string, score int) { s.note("rate %s %d", question, score) }

func (s *script) Own(keys ...media.Key) { s.own = keys }

func (s *script) Caller() string { return "+8613912345678" }

func (s *script) Get(name string) string { return s.answers[name] }

func (s *script) Set(name, value string) bool {
	if len(value) > call.MaxAnswer {
		return false
	}
	if s.answers == nil {
		s.answers = map[string]string{}
	}
	s.answers[name] = value
	s.note("set %s %s", name, value)
	return true
}

func (s *script) Speak(language string) bool {
	s.note("speak %s", language)
	return true
}

func (s *script) Chose(menu, choice string) { s.note("chose %s/%s", menu, choice) }

func (s *script) note(format string, args ...any) {
	s.transcript = append(s.transcript, fmt.Sprintf("%gs ", time.Since(s.begin).Seconds())+fmt.Sprintf(format, args...))
}

// sleep is a wait in the bubble's time that ctx can end.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
