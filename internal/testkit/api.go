package testkit

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"
)

// Record is a call as the API gives it. It is the tests' own reading of the contract: a field whose
// name changed in the hotline is missed here.
type Record struct {
	ID           string        `json:"id"`
	From         string        `json:"from"`
	To           string        `json:"to"`
	MenuPath     string        `json:"menu_path"`
	Queue        string        `json:"queue"`
	Agent        string        `json:"agent"`
	Started      time.Time     `json:"started"`
	Queued       *time.Time    `json:"queued"`
	Answered     *time.Time    `json:"answered"`
	Joined       *time.Time    `json:"joined"`
	Ended        *time.Time    `json:"ended"`
	Rings        int           `json:"rings"`
	WaitSeconds  float64       `json:"wait_seconds"`
	TalkSeconds  float64       `json:"talk_seconds"`
	HoldSeconds  float64       `json:"hold_seconds"`
	Release      string        `json:"release"`
	Result       string        `json:"result"`
	Reason       string        `json:"reason"`
	Recording    string        `json:"recording"`
	Unrecorded   string        `json:"unrecorded"`
	Visits       []Visit       `json:"visits"`
	Offers       []Offer       `json:"offers"`
	Talks        []Talk        `json:"talks"`
	Transfers    []Transfer    `json:"transfers"`
	Supervisions []Supervision `json:"supervisions"`
	Trunk        string        `json:"trunk"`

	Answers map[string]string `json:"answers"`

	Survey []struct {
		Question string `json:"question"`
		Score    int    `json:"score"`
		Agent    string `json:"agent"`
	} `json:"survey"`

	Message *struct {
		Name    string  `json:"name"`
		Queue   string  `json:"queue"`
		Seconds float64 `json:"seconds"`
	} `json:"message"`

	Legs []struct {
		Role    string  `json:"role"`
		Agent   string  `json:"agent"`
		Codec   string  `json:"codec"`
		In      uint64  `json:"packets_in"`
		Out     uint64  `json:"packets_out"`
		FarLost uint64  `json:"far_lost"`
		MOS     float64 `json:"mos"`
		Silent  int     `json:"silent"`
		NoMedia bool    `json:"no_media"`
		Secure  bool    `json:"secure"`
		OneWay  *struct {
			At     time.Time  `json:"at"`
			Count  int        `json:"count"`
			Healed *time.Time `json:"healed"`
		} `json:"one_way"`
	} `json:"legs"`

	Kind     string `json:"kind"`
	Callback string `json:"callback"`
	Origin   string `json:"origin"`
}

// Supervision is one time that a supervisor was on the line.
type Supervision struct {
	By   string     `json:"by"`
	Mode string     `json:"mode"`
	From time.Time  `json:"from"`
	To   *time.Time `json:"to"`
}

// Transfer is one wish of an agent's phone to hand the caller on.
type Transfer struct {
	By   string `json:"by"`
	Kind string `json:"kind"`
	To   string `json:"to"`
	How  string `json:"how"`
}

// Visit is one stay in one queue.
type Visit struct {
	Queue   string     `json:"queue"`
	Entered time.Time  `json:"entered"`
	Left    *time.Time `json:"left"`
	How     string     `json:"how"`
	// Overflow is why the queue turned the caller away; Since when a place of before was entered, that the caller took
	// up again if Rejoined.
	Overflow string     `json:"overflow"`
	Rejoined bool       `json:"rejoined"`
	Since    *time.Time `json:"since"`
}

// Offer is one agent's phone being rung.
type Offer struct {
	Agent  string     `json:"agent"`
	Number string     `json:"number"` // of a party outside, in an agent's place
	Sent   time.Time  `json:"sent"`
	Rung   *time.Time `json:"rung"`
	Ended  *time.Time `json:"ended"`
	How    string     `json:"how"`
	Rings  int        `json:"rings"`
}

// Talk is one agent's part.
type Talk struct {
	Agent    string     `json:"agent"`
	Number   string     `json:"number"` // of a party outside, in an agent's place
	Answered time.Time  `json:"answered"`
	Joined   *time.Time `json:"joined"`
	Ended    *time.Time `json:"ended"`
	Holds    []Hold     `json:"holds"`
	Release  string     `json:"release"`
	Code     *struct {
		Code string `json:"code"`
		Text string `json:"text"`
	} `json:"code"`
}

// Hold is one time that an agent put the caller on hold.
type Hold struct {
	From time.Time  `json:"from"`
	To   *time.Time `json:"to"`
}

// Agent is an agent as the API gives it.
type Agent struct {
	ID    string `json:"id"`
	State string `json:"state"`
	Call  string `json:"call"`
}

// Queue is a queue as the API gives it.
type Queue struct {
	Name    string `json:"name"`
	Waiting int    `json:"waiting"`
}

// Finished is a condition for AwaitCall: the call is over and its record complete.
func Finished(r Record) bool { return r.Ended != nil && r.Result != "" }

// try asks for a path with the token.
func (h *Hotline) try(path string) (status int, body []byte, err error) {
	request, err := http.NewRequestWithContext(h.tb.Context(), http.MethodGet, "http://"+h.HTTP+path, nil)
	if err != nil {
		return 0, nil, fmt.Errorf("ask for %s: %w", path, err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := h.client.Do(request)
	if err != nil {
		return 0, nil, fmt.Errorf("ask for %s: %w", path, err)
	}
	defer response.Body.Close() //nolint:errcheck // read to its end, or given up
	body, err = io.ReadAll(response.Body)
	return response.StatusCode, body, err
}

// Get asks for a path with the token; any answer but 200 fails the test.
func (h *Hotline) Get(path string) []byte {
	h.tb.Helper()
	status, body, err := h.try(path)
	if err != nil {
		h.tb.Fatal(err)
	}
	if status != http.StatusOK {
		h.tb.Fatalf("GET %s: %d %s", path, status, body)
	}
	return body
}

// get decodes what a path answers.
func get[T any](tb testing.TB, h *Hotline, path string) T {
	tb.Helper()
	var v T
	body := h.Get(path)
	if err := json.Unmarshal(body, &v); err != nil {
		tb.Fatalf("GET %s: %v in %s", path, err, body)
	}
	return v
}

// Calls are the calls of the API, newest first.
func (h *Hotline) Calls() []Record {
	h.tb.Helper()
	return get[struct {
		Calls []Record `json:"calls"`
	}](h.tb, h, "/api/v1/calls").Calls
}

// Call is one call by its id.
func (h *Hotline) Call(id string) Record {
	h.tb.Helper()
	return get[Record](h.tb, h, "/api/v1/calls/"+id)
}

// AwaitCall waits until a call is as wanted, and returns it.
func (h *Hotline) AwaitCall(what string, wanted func(Record) bool) Record {
	h.tb.Helper()
	return h.AwaitCalls(1, what, wanted)[0]
}

// AwaitCalls waits until n calls are as wanted, and returns them, newest first.
func (h *Hotline) AwaitCalls(n int, what string, wanted func(Record) bool) []Record {
	h.tb.Helper()
	var found []Record
	Within(h.tb, 3*Patience, fmt.Sprintf("%d × call %s", n, what), func() bool {
		found = found[:0]
		for _, r := range h.Calls() {
			if wanted(r) {
				found = append(found, r)
			}
		}
		return len(found) >= n
	})
	return found
}

// AwaitAgent waits until an agent is in a state: offline, ready, ringing, talking, wrap-up, logged-out, paused.
func (h *Hotline) AwaitAgent(id, state string) {
	h.tb.Helper()
	Within(h.tb, Patience, "agent "+id+" to be "+state, func() bool {
		for _, a := range h.Agents() {
			if a.ID == id && a.State == state {
				return true
			}
		}
		return false
	})
}

// Agents are the agents of the API.
func (h *Hotline) Agents() []Agent {
	h.tb.Helper()
	return get[struct {
		Agents []Agent `json:"agents"`
	}](h.tb, h, "/api/v1/agents").Agents
}

// AwaitWaiting waits until so many callers wait in a queue.
func (h *Hotline) AwaitWaiting(queue string, n int) {
	h.tb.Helper()
	Within(h.tb, Patience, fmt.Sprintf("%d waiting in %s", n, queue), func() bool {
		for _, q := range h.Queues() {
			if q.Name == queue {
				return q.Waiting == n
			}
		}
		return false
	})
}

// AwaitStored waits until nothing waits for the database: a kill then leaves what was seen before.
func (h *Hotline) AwaitStored() {
	h.tb.Helper()
	Within(h.tb, Patience, "the database to have everything", func() bool { return h.Metric("hotline_store_queued_rows") == 0 })
}

// AwaitWritten waits until the calls in progress are shown in a queue, and are stored: what a kill then leaves is known.
func (h *Hotline) AwaitWritten() {
	h.tb.Helper()
	Within(h.tb, Patience, "the calls' queues to be shown", func() bool {
		for _, r := range h.Calls() {
			if r.Ended == nil && r.Queue == "" {
				return false
			}
		}
		return true
	})
	h.AwaitStored()
}

// Queues are the queues of the API.
func (h *Hotline) Queues() []Queue {
	h.tb.Helper()
	return get[struct {
		Queues []Queue `json:"queues"`
	}](h.tb, h, "/api/v1/queues").Queues
}

// Recording is the recording of a call: left is the caller, right the agent.
func (h *Hotline) Recording(id string) WAV {
	h.tb.Helper()
	w, err := ParseWAV(h.Get("/api/v1/recordings/" + id))
	if err != nil {
		h.tb.Fatalf("recording of %s: %v", id, err)
	}
	return w
}
