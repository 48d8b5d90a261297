package testkit

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Events of baresip.
const (
	RegisterOK      = "REGISTER_OK"
	RegisterFail    = "REGISTER_FAIL"
	CallIncoming    = "CALL_INCOMING" // not when it answers by itself
	CallRinging     = "CALL_RINGING"
	CallProgress    = "CALL_PROGRESS"
	CallEstablished = "CALL_ESTABLISHED"
	CallClosed      = "CALL_CLOSED"
	TransferFailed  = "TRANSFER_FAILED" // Param is why; it then hangs up, and says nothing of that
	DTMFStart       = "CALL_DTMF_START" // Param is the key
	DTMFEnd         = "CALL_DTMF_END"
)

// Event is something that happened to a baresip.
type Event struct {
	Type      string `json:"type"`
	Direction string `json:"direction"`
	Peer      string `json:"peeruri"`
	ID        string `json:"id"` // the SIP Call-ID
	Param     string `json:"param"`
	// At is when the test learned of it.
	At time.Time `json:"-"`
}

// control is a connection to baresip's ctrl_tcp: JSON in netstrings, commands one way, answers and
// events the other.
type control struct {
	conn net.Conn
	mu   sync.Mutex
	// all below by mu
	changed chan struct{} // closed and replaced when something came
	events  []Event
	taken   int // events that await has passed
	answers map[string]answer
	tokens  int
	broken  error
}

type answer struct {
	OK    bool   `json:"ok"`
	Data  string `json:"data"`
	Token string `json:"token"`
}

// dialControl connects in a network, and disconnects with the test.
func dialControl(tb testing.TB, in *Network, addr string) *control {
	tb.Helper()
	conn, err := in.dial(tb.Context(), "tcp", addr)
	if err != nil {
		tb.Fatalf("connect to baresip's control: %v", err)
	}
	c := &control{conn: conn, changed: make(chan struct{}), answers: make(map[string]answer)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.read()
	}()
	tb.Cleanup(func() {
		_ = conn.Close() // baresip may have closed it before
		<-done
	})
	return c
}

// read takes in what baresip says until the connection ends.
func (c *control) read() {
	r := bufio.NewReader(c.conn)
	for {
		text, err := readNetstring(r)
		c.mu.Lock()
		if err != nil {
			c.broken = err
		} else {
			c.take(text)
		}
		close(c.changed)
		c.changed = make(chan struct{})
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// take files one message. Text that is not JSON (names that baresip does not escape) is of no use to
// a test, which will miss its event and show it.
func (c *control) take(text []byte) {
	var m struct {
		Event    bool `json:"event"`
		Response bool `json:"response"`
	}
	if json.Unmarshal(text, &m) != nil {
		return
	}
	switch {
	case m.Event:
		e := Event{At: time.Now()}
		if json.Unmarshal(text, &e) == nil {
			c.events = append(c.events, e)
		}
	case m.Response:
		var a answer
		if json.Unmarshal(text, &a) == nil {
			c.answers[a.Token] = a
		}
	}
}

// readNetstring reads "5:hello,".
func readNetstring(r *bufio.Reader) ([]byte, error) {
	head, err := r.ReadString(':')
	if err != nil {
		return nil, fmt.Errorf("read a netstring's length: %w", err)
	}
	n, err := strconv.Atoi(strings.TrimSuffix(head, ":"))
	if err != nil || n < 0 || n > 1<<20 {
		return nil, fmt.Errorf("netstring of length %q", head)
	}
	text := make([]byte, n+1)
	if _, err := io.ReadFull(r, text); err != nil {
		return nil, fmt.Errorf("read a netstring: %w", err)
	}
	return text[:n], nil
}

// command gives a command and waits for its answer.
func (c *control) command(tb testing.TB, name, params string) string {
	tb.Helper()
	c.mu.Lock()
	c.tokens++
	token := strconv.Itoa(c.tokens)
	c.mu.Unlock()
	text, err := json.Marshal(map[string]string{"command": name, "params": params, "token": token})
	if err != nil {
		tb.Fatalf("tell baresip to %s: %v", name, err)
	}
	if _, err := fmt.Fprintf(c.conn, "%d:%s,", len(text), text); err != nil {
		tb.Fatalf("tell baresip to %s: %v", name, err)
	}
	var a answer
	c.wait(tb, "answer to "+name, func() bool {
		got, ok := c.answers[token]
		a = got
		return ok
	})
	if !a.OK {
		tb.Fatalf("baresip would not %s %s: %s", name, params, a.Data)
	}
	return a.Data
}

func (c *control) await(tb testing.TB, types ...string) Event {
	tb.Helper()
	var found Event
	c.wait(tb, "event "+strings.Join(types, " or "), func() bool {
		for c.taken < len(c.events) {
			found = c.events[c.taken]
			c.taken++
			if slices.Contains(types, found.Type) {
				return true
			}
		}
		return false
	})
	return found
}

// wait calls f, under the lock, until it is true.
func (c *control) wait(tb testing.TB, what string, f func() bool) {
	tb.Helper()
	limit := time.NewTimer(Patience)
	defer limit.Stop()
	for {
		c.mu.Lock()
		ok, changed, broken, events := f(), c.changed, c.broken, len(c.events)
		c.mu.Unlock()
		if ok {
			return
		}
		if broken != nil {
			tb.Fatalf("baresip is gone (%v); wanted: %s", broken, what)
		}
		select {
		case <-changed:
		case <-limit.C:
			tb.Fatalf("no %s from baresip within %s (of %d events: %v)", what, Patience, events, c.all())
		}
	}
}

func (c *control) all() []Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.events)
}
