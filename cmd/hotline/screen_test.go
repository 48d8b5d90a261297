package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/stretchr/testify/require"

	"hotline/call"
)

// TestCells: columns begin at the same place whatever is in them, counted as a terminal counts.
func TestCells(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "Li", "张敏", "欧阳娜娜娜娜娜娜", "a-very-long-name-indeed", "张a敏b"} {
		text := cells("8001", 7, name, 10, "ready", 10)
		before, _, found := strings.Cut(text, "ready")
		require.True(t, found, text)
		require.Equal(t, 17, runewidth.StringWidth(before), "%q", text)
		require.True(t, strings.HasSuffix(before, " "), "columns stay apart: %q", text)
	}
}

// TestScreen: what is drawn is as wide and as high as the terminal at most, and the next drawing begins
// where this one did.
func TestScreen(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	s := screen{w: &out}
	rows := []row{{text: strings.Repeat("线", 100), head: true}, {text: strings.Repeat("x", 100)}}
	for i := range 40 {
		rows = append(rows, row{text: fmt.Sprint(i)})
	}
	s.draw(rows)
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n\x1b[J"), "\n")
	require.Len(t, lines, usualHeight-1)
	for _, line := range lines {
		plain := strings.NewReplacer("\x1b[2K", "", "\x1b[1m", "", "\x1b[0m", "").Replace(line)
		require.Less(t, runewidth.StringWidth(plain), usualWidth)
	}
	out.Reset()
	s.draw(rows[:3])
	require.True(t, strings.HasPrefix(out.String(), fmt.Sprintf("\x1b[%dA", usualHeight-1)))
	out.Reset()
	s.draw(nil)
	require.True(t, strings.HasPrefix(out.String(), "\x1b[3A"))
}

// TestCallRows: the oldest calls are shown, masked, and how many there are besides.
func TestCallRows(t *testing.T) {
	t.Parallel()
	now := time.Now()
	var live []call.Live
	for range 5 {
		live = append(live, call.Live{At: call.Talk, Record: call.Record{
			From: "13900001234", Queue: "repair", Started: now.Add(-65 * time.Second), Talks: []call.TalkRecord{{Agent: "8002"}},
		}})
	}
	require.Empty(t, callRows(nil, 3, now))
	require.Len(t, callRows(live[:3], 3, now), 3)
	rows := callRows(live, 3, now)
	require.Len(t, rows, 3)
	require.Equal(t, "139******34   talk    repair      8002   01:05", rows[0].text)
	require.Equal(t, "... and 3 more", rows[2].text)
}

func TestTimes(t *testing.T) {
	t.Parallel()
	require.Equal(t, "01:05", clock(65*time.Second))
	require.Equal(t, "1:01:05", clock(3665*time.Second))
	require.Equal(t, "00:00", clock(-time.Second))
	require.Equal(t, "3m", brief(3*time.Minute))
	require.Equal(t, "1h", brief(time.Hour))
	require.Equal(t, "1h0m5s", brief(time.Hour+5*time.Second))
	require.Equal(t, "1m30s", brief(90*time.Second))
	require.Equal(t, "no call yet", share(0, 0))
	require.Equal(t, "67 % (2 of 3)", share(2, 1))
}
