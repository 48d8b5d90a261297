package prompts_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/media"
	"hotline/media/prompts"
)

// spoken is how a number's prompts are written in Chinese.
var spoken = map[string]string{
	"number-0": "零", "number-1": "一", "number-2": "二", "number-3": "三", "number-4": "四", "number-5": "五",
	"number-6": "六", "number-7": "七", "number-8": "八", "number-9": "九", "number-liang": "两",
	"number-10": "十", "number-100": "百", "number-1000": "千",
}

func chinese(names []string) string {
	var b strings.Builder
	for _, name := range names {
		b.WriteString(spoken[name])
	}
	return b.String()
}

func TestNumbersAsChineseReadsThem(t *testing.T) {
	for n, want := range map[int]string{
		0: "零", 1: "一", 2: "二", 9: "九", 10: "十", 11: "十一", 12: "十二", 20: "二十", 22: "二十二", 99: "九十九",
		100: "一百", 101: "一百零一", 110: "一百一十", 111: "一百一十一", 200: "两百", 202: "两百零二", 222: "两百二十二",
		1000: "一千", 1001: "一千零一", 1010: "一千零一十", 1015: "一千零一十五", 1100: "一千一百", 2000: "两千",
		2002: "两千零二", 2020: "两千零二十", 2222: "两千二百二十二", 9009: "九千零九", 9900: "九千九百", 9999: "九千九百九十九",
	} {
		require.Equal(t, want, chinese(prompts.NumberNames(n)), n)
	}
	require.Equal(t, "两", chinese(prompts.CountNames(2)), "before a measure word")
	require.Equal(t, "十二", chinese(prompts.CountNames(12)))
}

// TestNumbersReadBack reads every number as a person does who hears it: each unit times the digit before it.
func TestNumbersReadBack(t *testing.T) {
	digits := map[string]int{"两": 2}
	for i := range 10 {
		digits[spoken["number-"+strconv.Itoa(i)]] = i
	}
	units := map[string]int{"十": 10, "百": 100, "千": 1000}
	seen := map[string]int{}
	for n := range 10_000 {
		text := chinese(prompts.NumberNames(n))
		sum, digit := 0, 0
		for _, c := range text {
			if unit, ok := units[string(c)]; ok {
				sum += max(digit, 1) * unit
				digit = 0
				continue
			}
			digit = digits[string(c)]
		}
		require.Equal(t, n, sum+digit, text)
		require.NotContains(t, text, "零零")
		require.False(t, n > 0 && strings.HasSuffix(text, "零"), text)
		other, twice := seen[text]
		require.False(t, twice, "%d sounds like %d", n, other)
		seen[text] = n
	}
}

func TestNumber(t *testing.T) {
	s, err := prompts.New(prompts.Options{})
	require.NoError(t, err)
	require.Equal(t, "number-1 number-100 number-0 number-2", heard(t, s.Number(102)))
	require.Equal(t, "number-2", heard(t, s.Number(2)))
	require.Equal(t, "number-liang", heard(t, s.Count(2)))
	require.Equal(t, "digit-1 digit-0 digit-0 digit-0 digit-0", heard(t, s.Number(10_000)))
	require.Empty(t, s.Number(-1))
	for name := range spoken {
		require.True(t, s.Has(name), name)
	}

	folder := t.TempDir()
	put(t, folder, "en/digit-1.wav", wav(8000, []byte{1, 2}))
	put(t, folder, "en/number-1.wav", wav(8000, []byte{1, 2}))
	s, err = prompts.New(prompts.Options{Folder: folder, Language: "en"})
	require.NoError(t, err)
	require.Equal(t, "digit-1 digit-1", heard(t, s.Count(11)), "the rules are those of Chinese")
}

func heard(t *testing.T, clips []media.Clip) string {
	t.Helper()
	var names []string
	for _, c := range clips {
		require.Less(t, c.Duration(), time.Second)
		names = append(names, c.Name)
	}
	return strings.Join(names, " ")
}
