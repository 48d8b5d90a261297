package config

import (
	"cmp"
	"time"
)

// Menu is one node of the menus. Which of its keys mean something depends on Kind; another kind's key is a
// problem.
type Menu struct {
	Kind MenuKind // key `kind`, default menu
	// Prompt is a prompt's name. Default: welcome for a choice, goodbye for a hang-up, looking-up for a
	// look-up, outage-intro for an announcement, none for a queue or a number; the others must name one.
	Prompt string
	Wait   time.Duration // for a key, once the prompt has ended; 100ms to 1m, default 6s
	Tries  int           // how often the prompt is said; 1 to 10, default 3
	// Keys are a choice's.
	Keys map[string]Destination
	// Otherwise is where the call goes when the tries are used up, the look-up failed or said nothing that
	// Cases has, or a number outside that another way of this menu leads to cannot be reached; default the queue
	// consult. Of a number: the menu to go to when it cannot be reached; default none, and the call ends.
	Otherwise Destination
	// Next is where a kind without a choice leads; for a queue, a number and a hang-up it is that. Default of a
	// survey and a voicemail: the call ends.
	Next Destination

	Digits Digits
	// Calendar names the hours; Open and Closed are where they lead.
	Calendar     string
	Open, Closed Destination
	// Languages are the tags of languages by key.
	Languages map[string]string
	Lookup    Lookup
	Survey    Survey
	Voicemail Voicemail
	// Area is the variable that an announcement's areas are matched with; empty: all are announced.
	Area string
}

// MenuKind is what a node of the menus does, by its name in the file.
type MenuKind string

// The kinds.
const (
	MenuChoice   MenuKind = "menu"     // says a prompt and takes one key
	MenuPlay     MenuKind = "play"     // says a prompt
	MenuDigits   MenuKind = "digits"   // takes a number by keys
	MenuHours    MenuKind = "hours"    // asks a calendar
	MenuLanguage MenuKind = "language" // goes on in another language
	MenuLookup   MenuKind = "lookup"   // asks a server of the operator's
	MenuAnnounce MenuKind = "announce" // tells the outages
	MenuQueue    MenuKind = "queue"    // leads to a queue
	MenuDial     MenuKind = "dial"     // leads to a number outside
	MenuHangup   MenuKind = "hangup"   // ends the call
	MenuSurvey   MenuKind = "survey"   // asks how the service was

	MenuVoicemail MenuKind = "voicemail" // takes a message
)

// Digits are a number to be keyed.
type Digits struct {
	// Variable is the name that it is kept under.
	Variable string
	Min, Max int // digits; keys `min`, `max`, 1 to 32, default 1 and 20
	// End is the key that ends it: #, * or none; key `end`, default #.
	End string
	// Pattern is a regular expression (RE2) that all of it must match; empty: any digits will do.
	Pattern string
	// Confirm reads it back, to be confirmed by key; key `confirm`, default true.
	Confirm bool
}

// Survey asks how the service was: the menu's prompt is the first question, answered by 1 to 5; its default is survey.
type Survey struct {
	// Second is the prompt of a second question, answered by one of SecondKeys; keys `second`, default none, and
	// `second_keys`, digits from 0 to 5, default "01".
	Second, SecondKeys string
	// Thanks is said in the end; key `thanks`, default survey-thanks.
	Thanks string
}

// Voicemail takes a message; the prompt's default is voicemail.
type Voicemail struct {
	Queue   string        // whom it is for; key `queue`, default the one that the caller waited in last
	Max     time.Duration // how long it may become; key `max`, 5s to 10m, default 3m
	Silence time.Duration // ends it; key `silence`, 1s to 1m, default 5s
	// Review: the caller may hear it, and leave it anew, before it is kept; key `review`, default true.
	Review bool
}

// Lookup is a question to a server of the operator's.
type Lookup struct {
	// URL, http or https. {NAME} stands for a variable's value, {caller} for the caller's number; escaped, and
	// never in the name of the host.
	URL    string
	Method string // GET or POST, default GET
	// Send are the variables that a POST sends, as a JSON object.
	Send []string
	// Token is sent as a bearer's (RFC 6750); empty: none.
	Token   Secret
	Timeout time.Duration // 100ms to 30s, default 3s
	// Field is the one of the answer, a JSON object, that Cases has values of; key `field`.
	Field string
	// Cases are where its values lead.
	Cases map[string]Destination
	// Set are variables, each with the field of the answer that it takes.
	Set map[string]string
}

// wayOut is where a menu leads, and the key of the file that says so.
type wayOut struct {
	key string
	to  Destination
}

// ways are all the ways out of a menu, in a fixed order.
func (m Menu) ways() []wayOut {
	var ways []wayOut
	list := func(under string, places map[string]Destination) {
		for _, key := range sortedKeys(places) {
			ways = append(ways, wayOut{under + "." + key, places[key]})
		}
	}
	one := func(key string, d Destination) {
		if d != (Destination{}) {
			ways = append(ways, wayOut{key, d})
		}
	}
	list("keys", m.Keys)
	list("cases", m.Lookup.Cases)
	one("open", m.Open)
	one("closed", m.Closed)
	one(cmp.Or(nodeKinds[m.Kind].next, keyNext), m.Next)
	one("otherwise", m.Otherwise)
	return ways
}
