package testkit

import (
	"fmt"
	"testing"
)

// wallHost is where a hotline behind a Wall has phones send their audio to.
const wallHost = "127.0.0.2"

// Wall is a middlebox before a hotline's media ports, by an address of its own that the hotline gives in its
// descriptions: RTP and RTCP of all phones pass there, each port by a Relay. It changes nothing of the signalling, so it
// is no matter which phones these are. Its methods may be called from any goroutine.
type Wall struct {
	tb     testing.TB
	relays map[int]*Relay // by the hotline's port
}

// startWall opens the relays of some media ports, and closes them with the test.
func startWall(tb testing.TB, ports PortRange) *Wall {
	tb.Helper()
	w := &Wall{tb: tb, relays: make(map[int]*Relay)}
	for port := ports.First; port <= ports.Last; port++ {
		w.relays[port] = startRelay(tb, fmt.Sprintf("127.0.0.1:%d", port), loopback, fmt.Sprintf("%s:%d", wallHost, port))
	}
	return w
}

// Lose has audio of a phone be lost, that in one direction, or, if way is empty, in both; with reports so is the RTCP
// about it (RFC 3550 section 6). The phone is told by the ports of its audio; something must have come from it.
func (w *Wall) Lose(phone PortRange, way Way, reports bool) {
	w.tb.Helper()
	lost := Rule{Way: way, Drop: func(int) bool { return true }}
	found := false
	for port, r := range w.relays {
		if port%2 != 0 || !phone.Has(r.phonePort()) {
			continue
		}
		found = true
		r.Obey(lost)
		if control := w.relays[port+1]; reports && control != nil {
			control.Obey(lost)
		}
	}
	if !found {
		w.tb.Fatalf("no audio has come from ports %d to %d", phone.First, phone.Last)
	}
}

// Pass lets everything of everybody through again.
func (w *Wall) Pass() {
	for _, r := range w.relays {
		r.Obey()
	}
}

// phonePort is the port that the last message from inside came from; 0 when none did.
func (r *Relay) phonePort() uint16 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.phone.Port()
}
