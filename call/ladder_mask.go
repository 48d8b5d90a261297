package call

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// The least number of digits that make a number worth hiding. As a URI's user and in a display name a short
// one is seen for what it is; anywhere else a run of digits must be long not to be taken for something else.
const (
	maskedUserDigits = 3
	maskedNameDigits = 5
	maskedRunDigits  = 7
	// nationalDigits are those of a number without its country code; the longest plan in use (E.164 allows
	// 15 with the code, China has 11 for mobiles).
	nationalDigits = 11
	longestDigits  = 15
)

var (
	// The user parts of sip and sips URIs and the numbers of tel URIs, wherever they stand: request line,
	// headers, escaped in others (RFC 3261 section 19.1.1, RFC 3966 section 3).
	sipUser = regexp.MustCompile(`(?i)(\bsips?:)([^\s<>"@]+)(@)`)
	telUser = regexp.MustCompile(`(?i)(\btel:)([^\s<>",?]+)()`)
	// A display name that is a number, quoted or not (RFC 3261 section 20.10).
	quotedNumber = regexp.MustCompile(`(")([-+0-9 ().*#/]+)(")`)
	plainNumber  = regexp.MustCompile(`(?m)([:,][ \t]*)([+0-9][-+0-9 ().*#/]*?)([ \t]*<)`)
	longRun      = regexp.MustCompile(`()([0-9]{7,})()`)
	// The key of audio in a session description (RFC 4568 section 9.1). What is kept of messages has no bodies, but
	// somebody may write one into a header.
	inlineKey = regexp.MustCompile(`(?i)(\binline:)([A-Za-z0-9+/=]+)()`)
)

// MaskLadder returns messages with the telephone numbers hidden, as Mask does it: users of URIs, display
// names, the parties' own, and every run of digits that is one of these, wherever it stands. Agents' ids and
// what is open, such as the number that was dialled, can be read. Call-IDs, tags and branches stay, but for
// numbers in them.
func MaskLadder(messages []SIPMessage, open ...string) []SIPMessage {
	m := masking{open: make(map[string]bool), hidden: make(map[string]bool)}
	for _, o := range open {
		m.open[o] = true
	}
	for _, s := range messages {
		if s.Agent {
			m.open[s.Party] = true
		}
	}
	for _, s := range messages {
		if !s.Agent {
			m.hide(s.Party)
		}
		for _, uri := range []*regexp.Regexp{sipUser, telUser} {
			for _, part := range uri.FindAllStringSubmatch(s.Head, -1) {
				user, _ := userOf(part[2])
				m.hide(user)
				m.hide(strings.Split(user, ":")[0])
			}
		}
	}
	masked := slices.Clone(messages)
	for i := range masked {
		s := &masked[i]
		s.Head, s.Body = m.mask(s.Head), m.mask(s.Body) // the body's type is the sender's words
		if !s.Agent {
			s.Party = m.number(s.Party, maskedUserDigits)
		}
	}
	return masked
}

// masking is what is to be hidden, and what is not.
type masking struct {
	open   map[string]bool
	hidden map[string]bool // runs of maskedRunDigits to longestDigits digits
}

// hide notes a number that may be one of a person.
func (m *masking) hide(number string) {
	run := digitsOf(number)
	if m.open[number] || m.open[run] || len(run) < maskedRunDigits {
		return
	}
	if len(run) <= longestDigits {
		m.hidden[run] = true
	}
	m.hidden[run[max(len(run)-nationalDigits, 0):]] = true
}

func (m *masking) mask(head string) string {
	name := func(text string) string { return m.number(text, maskedNameDigits) }
	for _, in := range []struct {
		what *regexp.Regexp
		hide func(string) string
	}{{inlineKey, hiddenKey}, {sipUser, m.user}, {telUser, m.user}, {quotedNumber, name}, {plainNumber, name}} {
		head = within(in.what, head, in.hide)
	}
	return m.runs(head)
}

// hiddenKey stands for a key, unless that is one of what is hidden already, see WireMessage.
func hiddenKey(key string) string {
	if strings.Trim(key, "A=") == "" {
		return key
	}
	return "(hidden)"
}

// runs masks each run of digits that is hidden, the longest first. It goes over the text once for each length: a
// caller may write as many numbers as he likes.
func (m *masking) runs(text string) string {
	masked := []byte(text)
	for length := longestDigits; length >= maskedRunDigits; length-- {
		digits := 0 // in a row, up to i
		for i, c := range masked {
			if digits++; c < '0' || c > '9' {
				digits = 0
			}
			begin := i + 1 - length
			if digits < length || !m.hidden[string(masked[begin:i+1])] { // no allocation
				continue
			}
			run := Mask(string(masked[begin : i+1]))
			copy(masked[begin:], run)
			digits = len(run) - 1 - strings.LastIndexByte(run, '*') // what is seen of it may begin another
		}
	}
	return string(masked)
}

// within changes the second of the three parts of each match.
func within(what *regexp.Regexp, text string, change func(string) string) string {
	return what.ReplaceAllStringFunc(text, func(found string) string {
		part := what.FindStringSubmatch(found)
		if part == nil { // a word boundary that is none any more
			return change(found)
		}
		return part[1] + change(part[2]) + part[3]
	})
}

// user masks what stands between a URI's scheme and its @: name, password, parameters.
func (m *masking) user(text string) string {
	user, params := userOf(text)
	if masked := m.number(user, maskedUserDigits); masked != user {
		text = masked + params
	}
	return text[:len(text)-len(params)] + within(longRun, params, func(run string) string {
		return m.number(run, maskedRunDigits)
	})
}

// userOf is the decoded user and password of a URI, and its parameters as they stand.
func userOf(text string) (user, params string) {
	user = text
	if i := strings.IndexByte(text, ';'); i >= 0 {
		user, params = text[:i], text[i:]
	}
	if decoded, err := url.PathUnescape(user); err == nil && !strings.ContainsAny(decoded, "\r\n") {
		user = decoded
	}
	return user, params
}

// number masks a text if it has that many digits, and is not open.
func (m *masking) number(text string, least int) string {
	run := digitsOf(text)
	if len(run) < least || m.open[text] || m.open[run] {
		return text
	}
	return Mask(text)
}

// digitsOf is a text's digits.
func digitsOf(text string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, text)
}
