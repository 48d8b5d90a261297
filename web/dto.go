package web

import (
	"math"
	"net/url"
	"strconv"
	"time"

	"hotline/call"
)

// stamp is an instant as the API writes it: RFC 3339, always milliseconds, in the service's zone.
type stamp time.Time

// stampFormat is RFC 3339 (section 5.6) with exactly three decimals.
const stampFormat = "2006-01-02T15:04:05.000Z07:00"

// MarshalJSON implements json.Marshaler.
func (t stamp) MarshalJSON() ([]byte, error) {
	return []byte(time.Time(t).Format(`"` + stampFormat + `"`)), nil
}

// seconds is a duration as the API writes it: seconds, rounded to milliseconds.
type seconds float64

// MarshalJSON implements json.Marshaler.
func (s seconds) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, math.Round(float64(s)*1000)/1000, 'f', -1, 64), nil
}

// zone makes what the API writes out of what the hotline keeps, in one time zone.
type zone struct{ *time.Location }

func (z zone) at(t time.Time) stamp { return stamp(t.In(z.Location)) }

func (z zone) maybe(t *time.Time) *stamp {
	if t == nil {
		return nil
	}
	s := z.at(*t)
	return &s
}

// callDTO is a call as the API writes it. Absent instants and verdicts are null, empty lists [].
type callDTO struct {
	ID           string       `json:"id"`
	From         string       `json:"from"`
	To           string       `json:"to"`
	Trunk        string       `json:"trunk"`
	Node         string       `json:"node"`
	MenuPath     string       `json:"menu_path"`
	Queue        string       `json:"queue"`
	Agent        string       `json:"agent"`
	Started      stamp        `json:"started"`
	Accepted     *stamp       `json:"accepted"`
	Queued       *stamp       `json:"queued"`
	PromiseClock *stamp       `json:"promise_clock"`
	Answered     *stamp       `json:"answered"`
	Joined       *stamp       `json:"joined"`
	Ended        *stamp       `json:"ended"`
	Rings        int          `json:"rings"`
	RingsMet     *bool        `json:"rings_met"`
	WaitSeconds  seconds      `json:"wait_seconds"`
	TalkSeconds  seconds      `json:"talk_seconds"`
	HoldSeconds  seconds      `json:"hold_seconds"`
	Holds        int          `json:"holds"`
	LongestHold  seconds      `json:"longest_hold_seconds"`
	TalkMet      *bool        `json:"talk_met"`
	Release      call.Release `json:"release"`
	Result       call.Result  `json:"result"`
	Reason       call.Reason  `json:"reason"`
	Recording    string       `json:"recording"`
	Unrecorded   string       `json:"unrecorded"`
	Trace        string       `json:"trace"` // where its SIP messages are
	Visits       []visitDTO   `json:"visits"`
	Offers       []offerDTO   `json:"offers"`
	Talks        []talkDTO    `json:"talks"`

	Answers  map[string]string `json:"answers"`
	Language string            `json:"language"`

	Survey []scoreDTO `json:"survey"`
	// Message is the last of Messages.
	Message  *leftDTO  `json:"message"`
	Messages []leftDTO `json:"messages"`

	Kind     string `json:"kind"`
	Callback string `json:"callback"`
	Origin   string `json:"origin"`

	Private   bool           `json:"private"`
	Diverted  []diversionDTO `json:"diverted"`
	Transfers []transferDTO  `json:"transfers"`

	Supervisions []supervisionDTO `json:"supervisions"`
	Legs         []legDTO         `json:"legs"`
	MOS          opinion          `json:"mos"`
}

// leftDTO is what a caller left word of.
type leftDTO struct {
	Name    string  `json:"name"`
	At      stamp   `json:"at"`
	Queue   string  `json:"queue"`
	Seconds seconds `json:"seconds"`
}

func (z zone) left(m call.MessageRecord) leftDTO {
	return leftDTO{Name: m.Name, At: z.at(m.At), Queue: m.Queue, Seconds: seconds(m.Seconds)}
}

// scoreDTO is one answer of a caller who was asked how the service was.
type scoreDTO struct {
	Question string `json:"question"`
	Score    int    `json:"score"`
	At       stamp  `json:"at"`
	Queue    string `json:"queue"`
	Agent    string `json:"agent"`
}

func (z zone) score(s call.Score) scoreDTO {
	return scoreDTO{Question: s.Question, Score: s.Score, At: z.at(s.At), Queue: s.Queue, Agent: s.Agent}
}

type diversionDTO struct {
	From   string `json:"from"`
	Reason string `json:"reason"`
	Header string `json:"header"`
}

type transferDTO struct {
	At    stamp  `json:"at"`
	By    string `json:"by"`
	Kind  string `json:"kind"`
	To    string `json:"to"`
	Ended *stamp `json:"ended"`
	How   string `json:"how"`
}

type supervisionDTO struct {
	By   string    `json:"by"`
	Mode call.Mode `json:"mode"`
	From stamp     `json:"from"`
	To   *stamp    `json:"to"`
}

func (z zone) supervision(s call.Supervision) supervisionDTO {
	return supervisionDTO{By: s.By, Mode: s.Mode, From: z.at(s.From), To: z.maybe(s.To)}
}

type visitDTO struct {
	Queue   string `json:"queue"`
	Entered stamp  `json:"entered"`
	Left    *stamp `json:"left"`
	How     string `json:"how"`

	Overflow call.Overflow `json:"overflow,omitempty"`
	Rejoined bool          `json:"rejoined,omitempty"`
	Since    *stamp        `json:"since,omitempty"`
	LeftOut  leftOutDTO    `json:"left_out,omitzero"`
}

// leftOutDTO is what is kept of stays that the record has no room for.
type leftOutDTO struct {
	Count       int     `json:"count"`
	WaitSeconds seconds `json:"wait_seconds"`
}

type offerDTO struct {
	Agent  string `json:"agent"`
	Number string `json:"number"`
	Queue  string `json:"queue"`
	Sent   stamp  `json:"sent"`
	Rung   *stamp `json:"rung"`
	Ended  *stamp `json:"ended"`
	How    string `json:"how"`
	Rings  int    `json:"rings"`

	LeftOut int `json:"left_out,omitempty"`
}

type talkDTO struct {
	Agent    string       `json:"agent"`
	Number   string       `json:"number"`
	Queue    string       `json:"queue"`
	Answered stamp        `json:"answered"`
	Joined   *stamp       `json:"joined"`
	Ended    *stamp       `json:"ended"`
	Release  call.Release `json:"release"`
	Holds    []holdDTO    `json:"holds"`
	// Code is what the agent said of the talk; null while nothing was.
	Code *call.WrapUpCode `json:"code"`
}

type holdDTO struct {
	From stamp  `json:"from"`
	To   *stamp `json:"to"`
}

func (z zone) call(r call.Record) callDTO {
	if r.Answers == nil {
		r.Answers = map[string]string{}
	}
	messages := each(r.Messages(), z.left)
	var last *leftDTO
	if n := len(messages); n > 0 {
		last = &messages[n-1]
	}
	return callDTO{
		Trace:   "/api/v1/calls/" + url.PathEscape(r.ID) + "/trace",
		Answers: r.Answers, Language: r.Language, Survey: each(r.Survey, z.score), Message: last, Messages: messages, Kind: r.Kind, Callback: r.Callback, Origin: r.Origin,
		ID: r.ID, From: r.From, To: r.To, Trunk: r.Trunk, Node: r.Node, MenuPath: r.MenuPath, Queue: r.Queue, Agent: r.Agent,
		Started: z.at(r.Started), Accepted: z.maybe(r.Accepted), Queued: z.maybe(r.Queued),
		PromiseClock: z.maybe(r.PromiseClock), Answered: z.maybe(r.Answered), Joined: z.maybe(r.Joined),
		Ended: z.maybe(r.Ended), Rings: r.Rings, RingsMet: r.RingsMet,
		WaitSeconds: seconds(r.WaitSeconds), TalkSeconds: seconds(r.TalkSeconds),
		HoldSeconds: seconds(r.HoldSeconds), Holds: r.Holds,
		LongestHold: seconds(r.LongestHoldSeconds), TalkMet: r.TalkMet,
		Release: r.Release, Result: r.Result, Reason: r.Reason, Recording: r.Recording, Unrecorded: r.Unrecorded,
		Visits: each(r.Visits, z.visit), Offers: each(r.Offers, z.offer), Talks: each(r.Talks, z.talk),
		Private: r.Private, Diverted: each(r.Diverted, diversion), Transfers: each(r.Transfers, z.transfer),
		Supervisions: each(r.Supervisions, z.supervision),
		Legs:         each(r.Legs, z.leg), MOS: opinion(r.MOS),
	}
}

func (z zone) visit(v call.Visit) visitDTO {
	return visitDTO{Queue: v.Queue, Entered: z.at(v.Entered), Left: z.maybe(v.Left), How: v.How, Overflow: v.Overflow, Rejoined: v.Rejoined, Since: z.maybe(v.Since), LeftOut: leftOutDTO{v.LeftOut.Count, seconds(v.LeftOut.Waited.Seconds())}}
}

func (z zone) offer(o call.Offer) offerDTO {
	return offerDTO{
		Agent: o.Agent, Number: o.Number, Queue: o.Queue, Sent: z.at(o.Sent), Rung: z.maybe(o.Rung), Ended: z.maybe(o.Ended),
		How: o.How, Rings: o.Rings, LeftOut: o.LeftOut,
	}
}

func (z zone) talk(t call.TalkRecord) talkDTO {
	return talkDTO{
		Agent: t.Agent, Number: t.Number, Queue: t.Queue, Answered: z.at(t.Answered), Joined: z.maybe(t.Joined),
		Ended: z.maybe(t.Ended), Release: t.Release, Holds: each(t.Holds, z.hold),
		Code: t.Code,
	}
}

func (z zone) transfer(t call.Transfer) transferDTO {
	return transferDTO{At: z.at(t.At), By: t.By, Kind: t.Kind, To: t.To, Ended: z.maybe(t.Ended), How: t.How}
}

func diversion(d call.Diversion) diversionDTO {
	return diversionDTO{From: d.From, Reason: d.Reason, Header: d.Header}
}

func (z zone) hold(h call.Hold) holdDTO { return holdDTO{From: z.at(h.From), To: z.maybe(h.To)} }

// agentDTO is an agent as the API writes it.
type agentDTO struct {
	ID     string          `json:"id"`
	Name   string          `json:"name"`
	Role   Role            `json:"role"` // agent or supervisor
	State  call.AgentState `json:"state"`
	Since  stamp           `json:"since"`
	Skills map[string]int  `json:"skills"`
	Call   string          `json:"call"`
	Calls  int             `json:"calls"`
	// Queues are those logged in to.
	Queues      []string  `json:"queues"`
	Pause       *pauseDTO `json:"pause"`
	WrapUpUntil *stamp    `json:"wrap_up_until"`
	LastCode    string    `json:"last_code"`
	Today       call.Day  `json:"today"`
	// Node is the one of several at which the phone is registered. Orphan: the phone may be in the call of a node that is
	// dead, and is not rung until that is certain.
	Node   string `json:"node"`
	Orphan bool   `json:"orphan"`
}

type pauseDTO struct {
	Reason string `json:"reason"`
	Since  stamp  `json:"since"`
}

func (z zone) agent(a call.AgentView) agentDTO {
	if a.Skills == nil {
		a.Skills = map[string]int{}
	}
	d := agentDTO{
		ID: a.ID, Name: a.Name, Role: AgentRole, State: a.State, Since: z.at(a.Since), Skills: a.Skills, Call: a.Call, Calls: a.Calls,
		Queues: append([]string{}, a.Queues...), WrapUpUntil: z.maybe(a.WrapUpUntil), LastCode: a.LastCode, Today: a.Today, Orphan: a.Orphan,
	}
	if a.Supervisor {
		d.Role = Supervisor
	}
	if a.Shift.Paused {
		d.Pause = &pauseDTO{Reason: a.Shift.Reason, Since: z.at(a.Shift.Since)}
	}
	return d
}

// queueDTO is a queue as the API writes it.
type queueDTO struct {
	Name          string  `json:"name"`
	Strategy      string  `json:"strategy"`
	Priority      int     `json:"priority"`
	Waiting       int     `json:"waiting"`
	LongestWait   seconds `json:"longest_wait_seconds"`
	AgentsReady   int     `json:"agents_ready"`
	AgentsServing int     `json:"agents_serving"`
	Offering      int     `json:"offering"`
	// Today is of the calls that entered this queue first; null when they could not be counted.
	Today *todayDTO `json:"today"`
}

func queueOf(q call.QueueView, today call.Summaries) queueDTO {
	d := queueDTO{
		Name: q.Name, Strategy: q.Strategy, Priority: q.Priority, Waiting: q.Waiting,
		LongestWait: seconds(q.LongestWait), AgentsReady: q.AgentsReady, AgentsServing: q.AgentsServing,
		Offering: q.Offering,
	}
	if today != nil {
		d.Today = todayOf(today[q.Name])
	}
	return d
}

// each is never nil, so that JSON says [].
func each[A, B any](in []A, f func(A) B) []B {
	out := make([]B, 0, len(in))
	for _, a := range in {
		out = append(out, f(a))
	}
	return out
}
