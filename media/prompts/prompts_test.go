package prompts_test

import (
	"bytes"
	"encoding/csv"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"hotline/call"
	"hotline/media"
	"hotline/media/prompts"
)

var _ call.Prompts = (*prompts.Set)(nil)

// What other packages say by name, and how long one may be: a prompt that make.sh cut to nothing, or
// that swallowed another, would not pass.
var said = map[string][2]time.Duration{
	"welcome":             {9 * time.Second, 12500 * time.Millisecond},
	"recorded":            {900 * time.Millisecond, 1500 * time.Millisecond},
	"please-wait":         {1500 * time.Millisecond, 4 * time.Second},
	"gas-safety":          {8 * time.Second, 11500 * time.Millisecond},
	"agent-number-before": {400 * time.Millisecond, time.Second},
	"agent-number-after":  {600 * time.Millisecond, 2 * time.Second},
	"apology-late":        {4 * time.Second, 7 * time.Second},
	"apology-lost":        {4 * time.Second, 7 * time.Second},
	"no-key":              {2 * time.Second, 5 * time.Second},
	"invalid-key":         {2 * time.Second, 5 * time.Second},
	"invalid-entry":       {500 * time.Millisecond, 2 * time.Second},
	"confirm-before":      {500 * time.Millisecond, 2 * time.Second},
	"confirm-after":       {2 * time.Second, 5 * time.Second},
	"looking-up":          {time.Second, 4 * time.Second},
	"outage-intro":        {500 * time.Millisecond, 2 * time.Second},
	"outage":              {3 * time.Second, 8 * time.Second},
	"outage-more":         {2 * time.Second, 6 * time.Second},
	"goodbye":             {time.Second, 4 * time.Second},
	"busy-alarm-only":     {3 * time.Second, 7 * time.Second},
	"key-star":            {300 * time.Millisecond, 1500 * time.Millisecond},
	"key-pound":           {300 * time.Millisecond, 1500 * time.Millisecond},
	"callback-confirm":    {6 * time.Second, 11 * time.Second},
	"callback-booked":     {3 * time.Second, 6 * time.Second},
	"callback-refused":    {2 * time.Second, 6 * time.Second},
	"callback-agent":      {time.Second, 4 * time.Second},
	"callback-unanswered": {500 * time.Millisecond, 2 * time.Second},
	"callback-greeting":   {2 * time.Second, 6 * time.Second},
	"voicemail-review":    {3 * time.Second, 9 * time.Second},
	"number-unreached":    {time.Second, 5 * time.Second},
	"survey":              {7 * time.Second, 13 * time.Second},
	"survey-solved":       {4 * time.Second, 8 * time.Second},
	"survey-thanks":       {time.Second, 4 * time.Second},
	"voicemail":           {3 * time.Second, 7 * time.Second},
	"voicemail-not-kept":  {time.Second, 4 * time.Second},
	"voicemail-short":     {time.Second, 3 * time.Second},
	"voicemail-kept":      {2 * time.Second, 6 * time.Second},
	"hold-music":          {8 * time.Second, 12 * time.Second},
	"position-before":     {500 * time.Millisecond, 1500 * time.Millisecond},
	"position-after":      {100 * time.Millisecond, 600 * time.Millisecond},
	"expected-before":     {time.Second, 3 * time.Second},
	"expected-after":      {200 * time.Millisecond, time.Second},
	"expected-soon":       {time.Second, 4 * time.Second},
}

func TestBuiltIn(t *testing.T) {
	s, err := prompts.New(prompts.Options{})
	require.NoError(t, err)
	for name, length := range said {
		require.True(t, s.Has(name), name)
		clip, err := s.Clip(name)
		require.NoError(t, err)
		require.Equal(t, name, clip.Name)
		require.GreaterOrEqual(t, clip.Duration(), length[0], name)
		require.LessOrEqual(t, clip.Duration(), length[1], name)
		require.Equal(t, name == "hold-music", clip.Loop, name)
		require.Greater(t, loudness(clip.ALaw), 0.05, "%s is nearly silent", name)
	}
}

// loudness is the share of samples that are louder than 1/64 of full scale: A-law codes from the third
// segment on.
func loudness(alaw []byte) float64 {
	loud := 0
	for _, b := range alaw {
		if (b^0x55)&0x7F >= 0x20 {
			loud++
		}
	}
	return float64(loud) / float64(len(alaw))
}

// The table and the files are one: who changes a line must run make.sh.
func TestTableAndFilesAgree(t *testing.T) {
	f, err := os.Open("prompts.tsv")
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	table := csv.NewReader(f)
	table.Comma, table.FieldsPerRecord, table.LazyQuotes = '\t', 3, true
	rows, err := table.ReadAll()
	require.NoError(t, err)
	want := []string{"hold-music.wav"} // synthesised, not spoken
	for _, row := range rows {
		want = append(want, row[0]+".wav")
		require.NotEmpty(t, row[1], row[0])
		require.Equal(t, len(row[2]), utf8.RuneCountInString(row[2]), "%s: pinyin is ASCII", row[0])
	}
	var have []string
	var total int64
	entries, err := os.ReadDir("zh")
	require.NoError(t, err)
	for _, e := range entries {
		info, err := e.Info()
		require.NoError(t, err)
		total += info.Size()
		have = append(have, e.Name())
	}
	require.ElementsMatch(t, want, have)
	require.Less(t, total, int64(1_600_000), "built into every binary")
}

func TestDigits(t *testing.T) {
	s, err := prompts.New(prompts.Options{})
	require.NoError(t, err)
	for number, want := range map[string]string{
		"8001":       "digit-8 digit-0 digit-0 digit-1",
		"A-7b":       "letter-a digit-7 letter-b",
		"":           "",
		" +86 工号/..": "digit-8 digit-6",
		"0123456789": "digit-0 digit-1 digit-2 digit-3 digit-4 digit-5 digit-6 digit-7 digit-8 digit-9",
	} {
		var names []string
		for _, c := range s.Digits(number) {
			require.NotEmpty(t, c.ALaw)
			require.Less(t, c.Duration(), time.Second)
			names = append(names, c.Name)
		}
		require.Equal(t, want, strings.Join(names, " "), number)
	}
	for c := 'a'; c <= 'z'; c++ {
		require.Len(t, s.Digits(string(c)), 1)
	}
}

func TestOperatorsOwn(t *testing.T) {
	folder := t.TempDir()
	audio := bytes.Repeat([]byte{0xAA, 0x2A}, 800)
	put(t, folder, "zh/welcome.wav", wav(8000, audio))
	put(t, folder, "zh/special-offer.wav", wav(8000, audio[:80]))
	put(t, folder, "zh/hold-music.wav", wav(8000, audio))
	put(t, folder, "zh/._welcome.wav", []byte("a Mac's own business"))
	put(t, folder, "zh/see-you.mp3", []byte("ID3"))
	put(t, folder, "en/recorded.wav", []byte("another language's: not read"))
	core, logs := observer.New(zapcore.DebugLevel)
	s, err := prompts.New(prompts.Options{Folder: folder, Logger: zap.New(core)})
	require.NoError(t, err)

	clip, err := s.Clip("welcome")
	require.NoError(t, err)
	require.Equal(t, media.Clip{Name: "welcome", ALaw: audio}, clip)
	require.True(t, s.Has("special-offer"))
	clip, err = s.Clip("hold-music")
	require.NoError(t, err)
	require.True(t, clip.Loop, "the operator's music loops too")
	require.True(t, s.Has("recorded"), "what is not replaced stays built in")
	require.Len(t, logs.All(), 1)
	require.Equal(t, filepath.Join(folder, "zh", "see-you.mp3"), logs.All()[0].ContextMap()["file"])
}

func TestEveryBadFileIsNamed(t *testing.T) {
	folder := t.TempDir()
	put(t, folder, "zh/welcome.wav", []byte("not a wav"))
	put(t, folder, "zh/recorded.wav", wav(44100, []byte{1, 2}))
	put(t, folder, "zh/see-you.wav", wav(8000, nil))
	put(t, folder, "zh/no-key.wav", wav(8000, []byte{1, 2}))
	_, err := prompts.New(prompts.Options{Folder: folder})
	require.ErrorIs(t, err, media.ErrBadWAV)
	for _, name := range []string{"welcome", "recorded", "see-you"} {
		require.ErrorContains(t, err, filepath.Join(folder, "zh", name+".wav"))
	}
	require.ErrorContains(t, err, "44100 Hz")
	require.ErrorContains(t, err, "no audio")
	require.NotContains(t, err.Error(), "no-key")
}

func TestMissing(t *testing.T) {
	nowhere := filepath.Join(t.TempDir(), "nowhere")
	_, err := prompts.New(prompts.Options{Folder: nowhere})
	require.ErrorIs(t, err, fs.ErrNotExist, "a folder that is named must be there")
	require.ErrorContains(t, err, nowhere)
	s, err := prompts.New(prompts.Options{Folder: t.TempDir()})
	require.NoError(t, err, "without a folder for the language there are no prompts of one's own")
	require.False(t, s.Has("nope"))
	_, err = s.Clip("nope")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NotContains(t, err.Error(), "prompt", "who asked says so")
	require.Equal(t, []string{"nope", "letter-ß"}, s.Missing("nope", "recorded", "letter-ß", "nope"))
	require.Empty(t, s.Missing(append(call.NeededPrompts(), prompts.DigitNames("0123456789")...)...))
	require.Empty(t, s.Missing(prompts.DigitNames("A-7z ß/工")...), "what is not spoken is not missed")

	_, err = prompts.New(prompts.Options{Language: "en"})
	require.ErrorIs(t, err, prompts.ErrNone)
	for _, bad := range []string{"..", "../zh", "zh/..", "*", "zh-"} {
		_, err = prompts.New(prompts.Options{Folder: t.TempDir(), Language: bad})
		require.ErrorIs(t, err, prompts.ErrBadLanguage, bad)
	}
}

func TestOtherLanguageNeedsNoBuiltIn(t *testing.T) {
	folder := t.TempDir()
	put(t, folder, "en/digit-1.wav", wav(8000, []byte{1, 2}))
	s, err := prompts.New(prompts.Options{Folder: folder, Language: "en"})
	require.NoError(t, err)
	require.False(t, s.Has("welcome"))
	require.Len(t, s.Digits("12"), 1)
	require.Equal(t, []string{"digit-2"}, s.Missing(prompts.DigitNames("212")...))
	require.Equal(t, call.NeededPrompts(), s.Missing(call.NeededPrompts()...))
}

// A second language need not say everything: the rest is said in the first.
func TestFallback(t *testing.T) {
	folder := t.TempDir()
	own := []byte{1, 2}
	put(t, folder, "en/welcome.wav", wav(8000, own))
	first, err := prompts.New(prompts.Options{Folder: folder})
	require.NoError(t, err)
	second, err := prompts.New(prompts.Options{Folder: folder, Language: "en", Fallback: first})
	require.NoError(t, err)
	clip, err := second.Clip("welcome")
	require.NoError(t, err)
	require.Equal(t, own, clip.ALaw)
	clip, err = second.Clip("hold-music")
	require.NoError(t, err)
	require.True(t, clip.Loop)
	require.Empty(t, second.Missing(call.NeededPrompts()...))
	require.Len(t, second.Digits("12"), 2)
	clip, err = first.Clip("welcome")
	require.NoError(t, err)
	require.NotEqual(t, own, clip.ALaw)
	_, err = prompts.New(prompts.Options{Folder: folder, Language: "fr", Fallback: first})
	require.ErrorIs(t, err, prompts.ErrNone, "a language of which there is nothing is none")
}

func put(t *testing.T, folder, name string, content []byte) {
	t.Helper()
	file := filepath.Join(folder, filepath.FromSlash(name))
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file, content, 0o644))
}

// wav is a mono A-law file.
func wav(rate int, audio []byte) []byte {
	le := func(n, size int) string {
		b := make([]byte, size)
		for i := range b {
			b[i] = byte(n >> (8 * i))
		}
		return string(b)
	}
	return []byte("RIFF" + le(36+len(audio), 4) + "WAVEfmt " + le(16, 4) + le(6, 2) + le(1, 2) +
		le(rate, 4) + le(rate, 4) + le(1, 2) + le(8, 2) + "data" + le(len(audio), 4) + string(audio))
}
