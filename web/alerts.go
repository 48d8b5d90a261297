package web

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"hotline/call"
)

const (
	// maxAlerts is how many events are remembered for the API, and maxAlertsShown how many the page has.
	maxAlerts      = 256
	maxAlertsShown = 6
	// alertFor is how long the page shows one.
	alertFor = 10 * time.Minute
	// alertPause is how long a push waits for more, so that a burst is one.
	alertPause = 100 * time.Millisecond
)

// alerts are the newest events that could still be acted on, and a bell for those who watch.
type alerts struct {
	mu     sync.Mutex
	events []call.Event    // the newest last
	rings  chan struct{}   // closed at the next event
	fates  map[string]fate // what became of alarms, by call; replaced whole by Server.follow
}

// Tell shows an event to all who watch, at once, and at the other nodes of several soon. It may be called from any
// goroutine and does not wait for any of them.
func (s *Server) Tell(e call.Event) {
	s.alerts.add(e)
	s.share(e)
}

func (a *alerts) add(e call.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.events) == maxAlerts {
		copy(a.events, a.events[1:])
		a.events = a.events[:maxAlerts-1]
	}
	a.events = append(a.events, e)
	if a.rings != nil {
		close(a.rings)
		a.rings = nil
	}
}

// lull waits for the rest of a burst.
func (s *Server) lull(ctx context.Context) {
	t := time.NewTimer(alertPause)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	case <-s.closing:
	}
}

// bell is closed by the next event.
func (a *alerts) bell() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.rings == nil {
		a.rings = make(chan struct{})
	}
	return a.rings
}

// newest are the events that are remembered, the newest first.
func (a *alerts) newest() []call.Event {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := slices.Clone(a.events)
	slices.Reverse(out)
	return out
}

// alertCard is an event as the page shows it. It holds no personal data, and no call's id.
type alertCard struct {
	At      stamp          `json:"at"`
	Kind    call.EventKind `json:"kind"`
	Queue   string         `json:"queue"`
	Agent   string         `json:"agent"`
	From    string         `json:"from"` // masked
	Step    string         `json:"step"`
	Elapsed seconds        `json:"elapsed_seconds"`
	// State is what became of an alarm, and Since when: empty and null for all others, and while it is not known. Agent
	// is who took it.
	State alarmState `json:"state"`
	Since *stamp     `json:"since"`
}

// alertCards are what the page shows now: alarms first, so that whatever else happens takes none from the wall. An
// alarm is one line, how far it has climbed: its steps would push other callers, and all figures, off the wall. Once
// somebody took it, it is calm and soon gone; one whose caller is gone stays its time, so that somebody calls back.
func (s *Server) alertCards(now time.Time) []alertCard {
	z, fates := s.zone(), s.alerts.known()
	told := map[string]bool{} // by call
	shown := slices.DeleteFunc(s.alerts.newest(), func(e call.Event) bool {
		if !isAlarm(e) {
			return now.Sub(e.At) > alertFor
		}
		before := told[e.Call]
		told[e.Call] = true
		return before || fates[e.Call].hides(e, now)
	})
	urgency := func(e call.Event) int { // the lower, the sooner somebody must see it
		switch {
		case !isAlarm(e):
			return 3
		case fates[e.Call].state == alarmTaken:
			return 2
		case fates[e.Call].state == alarmGone:
			return 1
		default:
			return 0
		}
	}
	slices.SortStableFunc(shown, func(a, b call.Event) int { return cmp.Compare(urgency(a), urgency(b)) })
	return each(shown[:min(len(shown), maxAlertsShown)], func(e call.Event) alertCard {
		card := alertCard{
			At: z.at(e.At), Kind: e.Kind, Queue: e.Queue, Agent: e.Agent, From: call.Mask(e.From), Step: e.Step,
			Elapsed: seconds(e.Elapsed.Seconds()),
		}
		if f := fates[e.Call]; isAlarm(e) && f.state != "" {
			card.State, card.Agent = f.state, f.by
			if !f.since.IsZero() {
				card.Since = z.maybe(&f.since)
			}
		}
		return card
	})
}

// isAlarm reports whether an event is a step of an alarm's ladder, the first included.
func isAlarm(e call.Event) bool { return e.Kind == call.EventAlarm || e.Kind == call.EventAlarmStep }

// alertEvent is the server-sent event of the alerts alone.
func (s *Server) alertEvent() ([]byte, error) {
	body, err := json.Marshal(s.alertCards(s.o.Clock()))
	if err != nil {
		return nil, fmt.Errorf("encode alerts: %w", err)
	}
	return fmt.Appendf(nil, "event: alerts\ndata: %s\n\n", body), nil
}

// eventDTO is an event as the API writes it.
type eventDTO struct {
	ID      string         `json:"id"`
	At      stamp          `json:"at"`
	Kind    call.EventKind `json:"kind"`
	Call    string         `json:"call"`
	Queue   string         `json:"queue"`
	Agent   string         `json:"agent"`
	From    string         `json:"from"`
	Step    string         `json:"step"`
	Elapsed seconds        `json:"elapsed_seconds"`
	Target  seconds        `json:"target_seconds"`
}

// recent is /api/v1/events: the newest events since the start, the newest first.
func (s *Server) recent(w http.ResponseWriter, _ *http.Request) error {
	z := s.zone()
	return writeJSON(w, struct {
		Events []eventDTO `json:"events"`
	}{each(s.alerts.newest(), func(e call.Event) eventDTO {
		return eventDTO{
			ID: e.ID(), At: z.at(e.At), Kind: e.Kind, Call: e.Call, Queue: e.Queue, Agent: e.Agent, From: e.From,
			Step: e.Step, Elapsed: seconds(e.Elapsed.Seconds()), Target: seconds(e.Target.Seconds()),
		}
	})})
}
