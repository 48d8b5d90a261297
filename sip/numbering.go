package sip

import (
	"regexp"
	"strings"
)

// Form is how a telephone number is written.
type Form string

// The forms. What a number is not known to be is left as it is, in each of them.
const (
	FormAsIs     Form = ""         // as it came
	FormE164     Form = "e164"     // +8675588888888, +8613912345678, +442071234567 (ITU-T E.164)
	FormNational Form = "national" // 075588888888, 13912345678, 00442071234567
	FormLocal    Form = "local"    // as national, but 88888888 where the area is ours
)

// Numbering says how numbers of a trunk are written. It knows the numbering plan of China (country code 86), by which
// 110, 119, 10086, 12345, 95xxx, 96xxx, 400 and 800 numbers are never given an area or a country.
type Numbering struct {
	// Area is the code of ours without its 0, such as 755; empty where numbers without one stay as they are.
	Area string
	// Shown is the form of callers' numbers, in records and on agents' phones; Dialled is what the carrier is sent.
	Shown, Dialled Form
}

// countryCode is that of the plan (ITU-T E.164).
const countryCode = "86"

// The plan, by national significant number: without 0 and country code.
var (
	mobileNumber  = regexp.MustCompile(`^1[3-9]\d{9}$`)
	serviceNumber = regexp.MustCompile(`^(1[0-2]\d|1[0-2]\d{3}|11[68]\d{3}|1010\d{4}|9[56]\d{3,6}|[48]00\d{7})$`)
	// An area code is 10, 2x, or three digits from 3 on, but 400 and 800; a subscriber's number begins with 2 to 8.
	fixedNumber = regexp.MustCompile(`^(10|2\d)[2-8]\d{7}$|^([3-9]\d\d)[2-8]\d{6,7}$`)
	localNumber = regexp.MustCompile(`^[2-8]\d{6,7}$`)
	// Of another country, with its code. E.164 has 15 digits at most; what is shorter than 7 is nobody's.
	foreignNumber = regexp.MustCompile(`^[1-9]\d{6,14}$`)
)

// write gives a number another form. It is idempotent, and forgets nothing: one form's number can be written in another.
func (n *Numbering) write(number string, form Form) string {
	if n == nil || form == FormAsIs {
		return number
	}
	significant, international, prefixed, ok := n.significant(number)
	switch {
	case !ok:
		return number
	case international:
		if form == FormE164 {
			return "+" + significant
		}
		return internationalPrefix + significant
	case prefixed && serviceNumber.MatchString(significant) && strings.HasSuffix(plainDigits(number), "0"+significant):
		return number // 0110 is no way to call 110, where only numbers with 0 may be called
	case serviceNumber.MatchString(significant):
		return significant
	case mobileNumber.MatchString(significant):
		if form == FormE164 {
			return "+" + countryCode + significant
		}
		return significant
	case prefixed && fixedNumber.MatchString(significant):
		return n.fixed(significant, form)
	case !prefixed && n.Area != "" && localNumber.MatchString(significant) && fixedNumber.MatchString(n.Area+significant):
		return n.fixed(n.Area+significant, form)
	}
	return number
}

// significant takes a number apart: what is left without the prefixes, whether it is another country's, and whether it
// had any prefix. It is not ok where the number is none.
func (n *Numbering) significant(number string) (digits string, international, prefixed, ok bool) {
	digits = plainDigits(number)
	plus := strings.HasPrefix(digits, "+")
	digits = strings.TrimPrefix(digits, "+")
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return "", false, false, false
	}
	if !plus && strings.HasPrefix(digits, internationalPrefix) {
		plus, digits = true, digits[len(internationalPrefix):]
	}
	if plus {
		rest, ours := strings.CutPrefix(digits, countryCode)
		if !ours {
			return digits, true, true, foreignNumber.MatchString(digits)
		}
		return strings.TrimPrefix(rest, "0"), false, true, true // some write +86 0755
	}
	digits, prefixed = strings.CutPrefix(digits, "0")
	return digits, false, prefixed, true
}

// plainDigits takes the visual separators out of a number (RFC 3966 section 5.1.1).
func plainDigits(number string) string { return separators.Replace(number) }

var separators = strings.NewReplacer("-", "", ".", "")

// fixed writes the number of a fixed line.
func (n *Numbering) fixed(significant string, form Form) string {
	if form == FormE164 {
		return "+" + countryCode + significant
	}
	area := fixedNumber.FindStringSubmatch(significant)
	if form == FormLocal && n.Area != "" && area[1]+area[2] == n.Area {
		return significant[len(n.Area):]
	}
	return "0" + significant
}

// shown is how a caller's number is shown.
func (n *Numbering) shown(number string) string {
	if n == nil {
		return number
	}
	return n.write(number, n.Shown)
}

// dialled is how a number is sent to the carrier.
func (n *Numbering) dialled(number string) string {
	if n == nil {
		return number
	}
	return n.write(number, n.Dialled)
}
