package prompts

import (
	"fmt"
	"strconv"
	"strings"

	"hotline/media"
)

// most is the greatest number that is read as one; greater ones are read digit by digit.
const most = 9999

// Number speaks a whole number as it is read by itself or in an order (第二): 0 to 9999 by the rules of
// [NumberNames]. A greater one is read digit by digit, as is every one in a language other than Chinese; a negative
// one is not spoken.
func (s *Set) Number(n int) []media.Clip { return s.number(n, NumberNames) }

// Count is as Number, for before a measure word (两分钟, 两位): a 2 that stands alone is 两.
func (s *Set) Count(n int) []media.Clip { return s.number(n, CountNames) }

func (s *Set) number(n int, names func(int) []string) []media.Clip {
	switch {
	case n < 0:
		return nil
	case n > most || s.language != DefaultLanguage && !strings.HasPrefix(s.language, DefaultLanguage+"-"):
		return s.Digits(strconv.Itoa(n))
	}
	return s.spoken(names(n))
}

// spoken are the clips of names, in order; one that has no clip in this language is left out.
func (s *Set) spoken(names []string) []media.Clip {
	clips := make([]media.Clip, 0, len(names))
	for _, name := range names {
		if clip, ok := s.clips[name]; ok {
			clips = append(clips, clip)
		}
	}
	return clips
}

// The prompts of numbers that are no digit's.
const (
	liang = "number-liang" // 两
	ling  = "number-0"     // 零
	ten   = "number-10"    // 十
)

// powers are the units of a number of four digits, the greatest first.
var powers = [...]struct {
	of   int
	name string
}{{1000, "number-1000"}, {100, "number-100"}, {10, ten}, {1, ""}}

// NumberNames are the prompts of a number from 0 to 9999 as Chinese reads it: one 零 for each gap of zeros within
// (一千零一, 一百零五), none for those at the end (一千一百); ten to nineteen without the 一 before 十 (十五), unless more
// stands before it (一百一十五); 两千 and 两百 at the head, 二 elsewhere.
func NumberNames(n int) []string {
	if n == 0 {
		return []string{ling}
	}
	var names []string
	gap := false
	for _, p := range powers {
		digit := n / p.of % 10
		if digit == 0 {
			gap = len(names) > 0
			continue
		}
		if gap {
			names = append(names, ling)
			gap = false
		}
		switch {
		case p.of == 10 && digit == 1 && len(names) == 0: // 十五
		case p.of >= 100 && digit == 2 && len(names) == 0:
			names = append(names, liang)
		default:
			names = append(names, fmt.Sprintf("number-%d", digit))
		}
		if p.name != "" {
			names = append(names, p.name)
		}
	}
	return names
}

// CountNames are the prompts of a number before a measure word.
func CountNames(n int) []string {
	if n == 2 {
		return []string{liang}
	}
	return NumberNames(n)
}
