package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"hotline/call"
)

// The headers of a request, besides those of HTTP. Receivers know them: none changes.
const (
	// HeaderSignature is t=UNIX,v1=HEX: when the request was made, and the HMAC-SHA256 of "UNIX.BODY" by the
	// hook's secret.
	HeaderSignature = "Hotline-Signature"
	// HeaderEvent is the event's id, the same at each try.
	HeaderEvent = "Hotline-Event"
	// HeaderAttempt counts the tries, from 1.
	HeaderAttempt = "Hotline-Attempt"
)

// Message is the body of a request: docs/webhooks.md and docs/webhook.schema.json say what the fields mean.
type Message struct {
	ID             string         `json:"id"`
	Kind           call.EventKind `json:"kind"`
	At             time.Time      `json:"at"`
	Call           string         `json:"call,omitempty"`
	Queue          string         `json:"queue,omitempty"`
	Agent          string         `json:"agent,omitempty"`
	From           string         `json:"from,omitempty"`
	Step           string         `json:"step,omitempty"`
	ElapsedSeconds float64        `json:"elapsed_seconds,omitempty"`
	TargetSeconds  float64        `json:"target_seconds,omitempty"`
}

// body is what a hook is sent of an event.
func body(id string, e call.Event, fullNumbers bool) json.RawMessage {
	m := Message{
		ID: id, Kind: e.Kind, At: e.At.UTC(), Call: e.Call, Queue: e.Queue, Agent: e.Agent, From: e.From, Step: e.Step,
		ElapsedSeconds: e.Elapsed.Seconds(), TargetSeconds: e.Target.Seconds(),
	}
	if !fullNumbers {
		m.From = call.Mask(e.From)
	}
	b, err := json.Marshal(m)
	if err != nil { // an instant beyond the year 9999 alone
		m.At = time.Time{}
		b, _ = json.Marshal(m)
	}
	return b
}

// Sign is the value of [HeaderSignature] for a body sent at an instant.
func Sign(secret string, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// never are the answers that say that an event will not be taken, however often it is sent. Any other but 2xx may
// change, by the receiver's recovery or an operator's hand.
var never = []int{
	http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusGone,
	http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity,
}

// sent is what came of one try.
type sent struct {
	outcome string
	status  int           // of HTTP; 0 when there was no answer
	after   time.Duration // what the answer asks to wait before the next
	err     error         // without the URL, which may hold a token
}

// maxAnswer bounds what is read of an answer, so that its connection can be used again.
const maxAnswer = 4 << 10

// send makes one request.
func (k *hook) send(ctx context.Context, it item, attempt int) sent {
	ctx, cancel := context.WithTimeout(ctx, k.hub.o.Within)
	defer cancel()
	to := k.now.Load()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to.URL, bytes.NewReader(it.Body))
	if err != nil { // the URL was parsed before
		return sent{outcome: outcomeFailed, err: fmt.Errorf("make request: %w", nameless(err))}
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "hotline")
	r.Header.Set(HeaderEvent, it.ID)
	r.Header.Set(HeaderAttempt, strconv.Itoa(attempt))
	r.Header.Set(HeaderSignature, Sign(to.Secret, time.Now(), it.Body))
	resp, err := k.hub.o.Client.Do(r)
	if err != nil {
		return sent{outcome: outcomeFailed, err: nameless(err)}
	}
	_, _ = io.CopyN(io.Discard, resp.Body, maxAnswer) // what it says is nobody's business, nor whether it was all
	_ = resp.Body.Close()
	result := sent{status: resp.StatusCode, outcome: outcomeFailed}
	switch {
	case resp.StatusCode/100 == 2:
		result.outcome = outcomeDelivered
	case slices.Contains(never, resp.StatusCode):
		result.outcome = outcomeRefused
	default:
		if n, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && n > 0 {
			result.after = min(time.Duration(min(n, 3600))*time.Second, slowest)
		}
	}
	return result
}

// nameless is an error of net/http without the URL in it.
func nameless(err error) error {
	if e, ok := err.(*url.Error); ok { //nolint:errorlint // the outermost is what Do returns, and what names the URL
		return e.Err
	}
	return err
}
