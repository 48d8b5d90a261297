package config

import (
	"regexp"
	"time"
)

var (
	urlShape     = shape{regexp.MustCompile(`^https?://[^\s\x00-\x1f]{1,1000}$`), "http://HOST/... or https://HOST/..., with {NAME} for a variable"}
	patternShape = shape{regexp.MustCompile(`^[^\p{C}]{1,500}$`), "a regular expression (RE2) for the digits"}
	valueShape   = shape{regexp.MustCompile(`^[^\p{C}]{1,256}$`), "1 to 256 printable characters"}
	endShape     = shape{regexp.MustCompile(`^([#*]|none)$`), `"#", "*" or none`}
)

// Keys that several kinds have.
const (
	keyNext   = "next"
	keyQueue  = "queue"
	keyNumber = "number"
	keyOpen   = "open"
	keyEvery  = "every"
	keyTries  = "tries"
	keyMax    = "max"
	keySurvey = "survey"
	keyListen = "listen"
)

// nodeKind is how one kind of menu is read: its keys, and those that it cannot do without.
type nodeKind struct {
	keys  func(r *reader, m *Menu) []field
	needs map[string]string // key, and what would be right
	// prompt is the one said by default.
	prompt string
	// next is the key that says where it leads, if that is not next.
	next string
	// otherwise: it has a way that is taken when all else fails, to the queue consult by default.
	otherwise bool
}

// nodeKinds is the table of them: a new kind of node is a line here, and its keys.
var nodeKinds = map[MenuKind]nodeKind{
	MenuChoice:   {keys: choiceKeys, prompt: "welcome", otherwise: true},
	MenuPlay:     {keys: playKeys, needs: map[string]string{keyPrompt: nameShape.want, keyNext: wantDestination}},
	MenuDigits:   {keys: digitsKeys, needs: map[string]string{keyPrompt: nameShape.want, "variable": nameShape.want, keyNext: wantDestination}, otherwise: true},
	MenuHours:    {keys: hoursKeys, needs: map[string]string{"calendar": "the name of a calendar", keyOpen: wantDestination, "closed": wantDestination}},
	MenuLanguage: {keys: languageKeys, needs: map[string]string{keyPrompt: nameShape.want, "languages": wantLanguages, keyNext: wantDestination}},
	MenuLookup:   {keys: lookupKeys, needs: map[string]string{keyURL: urlShape.want}, prompt: "looking-up", otherwise: true},
	MenuAnnounce: {keys: announceKeys, needs: map[string]string{keyNext: wantDestination}, prompt: "outage-intro"},
	MenuQueue:    {keys: queueKeys, next: keyQueue, needs: map[string]string{keyQueue: "the name of a queue"}},
	MenuDial:     {keys: dialKeys, next: keyNumber, needs: map[string]string{keyNumber: numberShape.want}},
	MenuHangup:   {keys: hangupKeys, prompt: "goodbye"},
	MenuSurvey:   {keys: surveyKeys, prompt: keySurvey},

	MenuVoicemail: {keys: voicemailKeys, prompt: string(MenuVoicemail), otherwise: true},
}

func to(name string, dst *Destination) field {
	return field{name, func(v value) {
		if d, ok := v.destination(); ok {
			*dst = d
		}
	}}
}

func said(m *Menu) field { return field{keyPrompt, func(v value) { v.text(&m.Prompt, nameShape) }} }

// asked are the keys of every kind that says its prompt until a key was pressed, and goes elsewhere if none was.
func asked(m *Menu) []field { return append(asking(m), to("otherwise", &m.Otherwise)) }

// asking are those of every kind that says its prompt until a key was pressed.
func asking(m *Menu) []field {
	return []field{
		said(m),
		{"wait", func(v value) { v.duration(&m.Wait, 100*time.Millisecond, time.Minute) }},
		{keyTries, func(v value) { v.integer(&m.Tries, 1, 10) }},
	}
}

func choiceKeys(r *reader, m *Menu) []field {
	return append(asked(m), field{"keys", func(v value) { m.Keys = r.keys(v) }})
}

func playKeys(_ *reader, m *Menu) []field { return []field{said(m), to(keyNext, &m.Next)} }

func digitsKeys(_ *reader, m *Menu) []field {
	d := &m.Digits
	return append(asked(m),
		field{"variable", func(v value) { v.text(&d.Variable, nameShape) }},
		field{"min", func(v value) { v.integer(&d.Min, 1, 32) }},
		field{keyMax, func(v value) { v.integer(&d.Max, 1, 32) }},
		field{"end", func(v value) {
			v.text(&d.End, endShape)
			if d.End == "none" {
				d.End = ""
			}
		}},
		field{"pattern", func(v value) { v.text(&d.Pattern, patternShape) }},
		field{"confirm", func(v value) { v.boolean(&d.Confirm) }},
		to(keyNext, &m.Next),
	)
}

func hoursKeys(_ *reader, m *Menu) []field {
	return []field{
		{"calendar", func(v value) { v.text(&m.Calendar, nameShape) }},
		to(keyOpen, &m.Open), to("closed", &m.Closed),
	}
}

const wantLanguages = "a language for each key, such as {\"1\": zh, \"2\": en}"

func languageKeys(_ *reader, m *Menu) []field {
	return append(asked(m), to(keyNext, &m.Next), field{"languages", func(v value) {
		m.Languages = map[string]string{}
		v.entries(func(key string, child value) {
			var tag string
			if child.name(key, keyShape) {
				child.text(&tag, languageShape)
				m.Languages[key] = tag
			}
		})
	}})
}

func lookupKeys(_ *reader, m *Menu) []field {
	l := &m.Lookup
	return []field{
		said(m),
		{keyURL, func(v value) { v.text(&l.URL, urlShape) }},
		{"method", func(v value) { oneOf(v, &l.Method, "GET", "POST") }},
		{"send", func(v value) {
			v.items("a list of variables", func(_ int, item value) {
				var name string
				item.text(&name, nameShape)
				l.Send = append(l.Send, name)
			})
		}},
		{"token", func(v value) {
			if !v.secret(&l.Token) {
				v.problem("a token that is not set", "one that is, or the key left out")
			}
		}},
		{"timeout", func(v value) { v.duration(&l.Timeout, 100*time.Millisecond, 30*time.Second) }},
		{"field", func(v value) { v.text(&l.Field, nameShape) }},
		{"cases", func(v value) {
			l.Cases = map[string]Destination{}
			v.entries(func(answer string, child value) {
				if d, ok := child.destination(); ok && child.name(answer, valueShape) {
					l.Cases[answer] = d
				}
			})
		}},
		{"set", func(v value) {
			l.Set = map[string]string{}
			v.entries(func(name string, child value) {
				var from string
				if child.name(name, nameShape) {
					child.text(&from, nameShape)
					l.Set[name] = from
				}
			})
		}},
		to("otherwise", &m.Otherwise),
	}
}

func announceKeys(_ *reader, m *Menu) []field {
	return []field{said(m), {"area", func(v value) { v.text(&m.Area, nameShape) }}, to(keyNext, &m.Next)}
}

func queueKeys(_ *reader, m *Menu) []field {
	return []field{said(m), {keyQueue, func(v value) { v.text(&m.Next.Queue, nameShape) }}}
}

func dialKeys(_ *reader, m *Menu) []field {
	return []field{
		said(m),
		{keyNumber, func(v value) { v.text(&m.Next.Dial, numberShape) }},
		{"otherwise", func(v value) {
			d, ok := v.destination()
			if ok && d.Menu == "" {
				v.problem("no menu", "{menu: NAME}, such as one of kind queue")
				return
			}
			m.Otherwise = d
		}},
	}
}

// scoreShape is the keys that answer a survey's second question.
var scoreShape = shape{regexp.MustCompile(`^[0-5]{1,6}$`), `digits from 0 to 5, such as "01"`}

func surveyKeys(_ *reader, m *Menu) []field {
	s := &m.Survey
	return append(asking(m),
		field{"second", func(v value) { v.text(&s.Second, nameShape) }},
		field{"second_keys", func(v value) { v.text(&s.SecondKeys, scoreShape) }},
		field{"thanks", func(v value) { v.text(&s.Thanks, nameShape) }},
		to(keyNext, &m.Next),
	)
}

func voicemailKeys(_ *reader, m *Menu) []field {
	o := &m.Voicemail
	return []field{
		said(m),
		{keyTries, func(v value) { v.integer(&m.Tries, 1, 10) }},
		{keyQueue, func(v value) { v.text(&o.Queue, nameShape) }},
		{keyMax, func(v value) { v.duration(&o.Max, 5*time.Second, 10*time.Minute) }},
		{"silence", func(v value) { v.duration(&o.Silence, time.Second, time.Minute) }},
		{"review", func(v value) { v.boolean(&o.Review) }},
		to(keyNext, &m.Next), to("otherwise", &m.Otherwise),
	}
}

func hangupKeys(_ *reader, m *Menu) []field { return []field{said(m)} }
