package config

import (
	"regexp"
	"strings"
)

// NumberDigits is from how many to how many, each 1 to 32.
type NumberDigits struct{ From, To int }

// Where a number is said to be abroad, and who is not (ITU-T E.164).
const (
	internationalPrefix = "00"
	countryCode         = "86"
	mostDigits          = 15
	mostAtHome          = 11 // of a number that begins with 1, in China's plan: a mobile one
	shortestAbroad      = 7  // of a number and its country code
)

// codeAbroad is how a number at home begins that goes on abroad: with a carrier's access code (17909, 12593, 193: in China they
// begin with 1), before which some write a 0, and then 00.
var codeAbroad = regexp.MustCompile(`^0?1\d{2,}00`)

// viaCode reports whether a number at home has an access code and then a number abroad. It is longer than mostAtHome, so
// no mobile number.
func viaCode(number string) bool {
	return len(number) >= shortestAbroad && codeAbroad.MatchString(number[:len(number)-shortestAbroad])
}

// MayDial reports whether a number may be called by Dial, at some time: the entry with the longest prefix decides. Package sip
// judges numbers that are dialled by the same rules.
func (c *Config) MayDial(number string) bool {
	var of Dial
	for _, d := range c.Dial {
		if d.decides(number) && len(d.Prefix) > len(of.Prefix) {
			of = d
		}
	}
	return of.allows(number)
}

// allows reports whether the entry that decides about a number lets it be called: it is as long as the entry says.
func (d Dial) allows(number string) bool {
	digits := len(strings.TrimPrefix(number, "+"))
	return d.decides(number) && d.Digits.From <= digits && digits <= d.Digits.To
}

// decides reports whether a number has an entry's prefix. A prefix that begins with neither + nor 00 is that of no number
// that does, so that "0" is not the world, and one without an access code and 00 that of none that goes on abroad by these; and
// a number that has our country code and then either is none.
func (d Dial) decides(number string) bool {
	if d.Prefix == "" || !strings.HasPrefix(number, d.Prefix) || strings.Trim(strings.TrimPrefix(number, "+"), "0123456789") != "" {
		return false
	}
	if !abroad(number) {
		return !viaCode(number) || codeAbroad.MatchString(d.Prefix)
	}
	rest := strings.TrimPrefix(strings.TrimPrefix(number, "+"), internationalPrefix)
	rest, ours := strings.CutPrefix(rest, countryCode)
	return abroad(d.Prefix) && (!ours || !strings.HasPrefix(rest, internationalPrefix) && !viaCode(rest))
}

func abroad(number string) bool {
	return strings.HasPrefix(number, "+") || strings.HasPrefix(number, internationalPrefix)
}
