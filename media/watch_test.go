package media

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestWatch plays the cases of testdata/watch.txtar: a line each for what happens in which seconds, and what is told.
func TestWatch(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/watch.txtar")
	require.NoError(t, err)
	for _, file := range archive.Files {
		t.Run(file.Name, func(t *testing.T) {
			story := readStory(t, string(file.Data))
			require.Equal(t, story.lines["told"], story.play())
		})
	}
}

// story is one case: by their first words, the lines; in each, words like 3 or 3-7 are seconds.
type story struct {
	lines   map[string]string
	timeout time.Duration
}

func readStory(t *testing.T, text string) story {
	t.Helper()
	s := story{lines: map[string]string{}, timeout: 20 * time.Second}
	for line := range strings.Lines(text) {
		word, rest, found := strings.Cut(strings.TrimSpace(line), ":")
		require.True(t, found, "line %q", line)
		s.lines[word] = strings.TrimSpace(rest)
	}
	if text, ok := s.lines["timeout"]; ok {
		timeout, err := time.ParseDuration(text)
		require.NoError(t, err)
		s.timeout = timeout
	}
	return s
}

// at reports whether a line names a second.
func (s story) at(line string, second int) bool {
	for word := range strings.FieldsSeq(s.lines[line]) {
		from, to, ranged := strings.Cut(word, "-")
		if !ranged {
			to = from
		}
		lo, _ := strconv.Atoi(from)
		hi, _ := strconv.Atoi(to)
		if lo <= second && second <= hi {
			return true
		}
	}
	return false
}

// play has each second what is said of it happen, then judges.
func (s story) play() string {
	w, far := newWatch(s.timeout), farEnd{}
	begin := time.Unix(1_000_000, 0)
	var heard time.Time
	var sent uint64
	var theirs, highest uint32
	var told []string
	for second := range 100 {
		now := begin.Add(time.Duration(second) * time.Second)
		for line, wanted := range map[string]bool{"agreed": true, "held": false} {
			if s.at(line, second) {
				w.agree(wanted, heard, now)
				far.agree(sent)
			}
		}
		if s.at("they send", second) {
			heard = now.Add(time.Millisecond)
		}
		if s.at("we send", second) {
			sent += 50
		}
		if s.at("lost to us", second) || s.at("they send", second) {
			theirs += 50
		}
		block := func(moved bool) control {
			if moved {
				highest++
			}
			return control{reports: true, blocks: 1, about: true, block: receptionBlock{highest: highest}}
		}
		for line, make := range map[string]func() control{
			"report":          func() control { return control{reports: true} },
			"report we move":  func() control { return block(true) },
			"report we stand": func() control { return block(false) },
			"report another":  func() control { return control{reports: true, blocks: 1} },
			"report of sender": func() control {
				c := block(true)
				c.sends, c.packets = true, theirs
				return c
			},
			"goodbye": func() control { return control{reports: true, left: true} },
		} {
			if s.at(line, second) {
				far.take(make(), anywhere, sent, now)
			}
		}
		if fact := w.judge(heard, sent, &far, now.Add(2*time.Millisecond)); fact != 0 {
			told = append(told, fmt.Sprintf("%d %v", second, fact))
		}
	}
	return strings.Join(told, ", ")
}

// What came while the machine stood still has not been read when the wheel turns again: nobody is called silent for it.
func TestWatchStandsStill(t *testing.T) {
	w, far := newWatch(20*time.Second), farEnd{}
	now := epoch
	w.agree(true, time.Time{}, now)
	next := func(after time.Duration, heard time.Time) Fact {
		now = now.Add(after)
		return w.judge(heard, uint64(now.Unix()), &far, now)
	}
	heard := now.Add(time.Second)
	require.Zero(t, next(2*time.Second, heard))
	require.Zero(t, next(time.Hour, heard))
	for range 19 {
		require.Zero(t, next(time.Second, heard))
	}
	require.Equal(t, FactSilent, next(time.Second, heard), "the time-out after it")
}

// Whatever happens: one-way audio is told at most once for an agreement, silence at most once in a time-out, and heard
// only after one of them; and nothing at all of a stream on which something comes each second and nobody is deaf.
func TestWatchProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		timeout := time.Duration(rapid.IntRange(0, 5).Draw(t, "timeout")) * time.Second
		w, far := newWatch(timeout), farEnd{}
		now, heard, silent := epoch, time.Time{}, time.Time{}
		var sent uint64
		owed, oneWay, always := false, false, rapid.Bool().Draw(t, "always heard")
		for range rapid.IntRange(1, 120).Draw(t, "seconds") {
			now = now.Add(time.Second)
			if rapid.IntRange(0, 20).Draw(t, "agree") == 0 {
				w.agree(rapid.IntRange(0, 4).Draw(t, "wanted") > 0, heard, now)
				far.agree(sent)
				oneWay = false
			}
			if always || rapid.Bool().Draw(t, "heard") {
				heard = now.Add(time.Millisecond)
			}
			sent += uint64(rapid.SampledFrom([]int{0, 50}).Draw(t, "sent"))
			if !always && rapid.IntRange(0, 3).Draw(t, "report") == 0 {
				far.take(control{
					reports: true, sends: rapid.Bool().Draw(t, "sends"), packets: uint32(rapid.IntRange(0, 9).Draw(t, "packets")),
					about: rapid.Bool().Draw(t, "about"), block: receptionBlock{highest: uint32(rapid.IntRange(0, 2).Draw(t, "highest"))},
				}, anywhere, sent, now)
			}
			switch w.judge(heard, sent, &far, now.Add(2*time.Millisecond)) {
			case FactOneWay:
				require.False(t, oneWay, "twice under one agreement")
				owed, oneWay = true, true
			case FactSilent:
				require.True(t, silent.IsZero() || now.Sub(silent) >= timeout, "again too soon")
				require.NotZero(t, timeout)
				owed, silent = true, now
			case FactHeard:
				require.True(t, owed, "heard, and it was never lost")
				owed, silent = false, time.Time{}
			}
			require.False(t, always && owed, "nothing was wrong")
		}
	})
}
