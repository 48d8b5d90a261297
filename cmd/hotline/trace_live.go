package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"hotline/call"
	"hotline/config"
)

// mostLine bounds one line of what the hotline tells, in octets: a head of 8 KiB, as JSON.
const mostLine = 256 << 10

// live prints what a peer says and is told, from now on, as the running hotline sees it. A signal ends it well: the person
// has seen enough.
func (t *traceCmd) live(ctx context.Context, con *console, cfg *config.Config) error {
	q := url.Values{"peer": {t.Call}, "for": {t.For.String()}}
	if t.Numbers {
		q.Set("numbers", "1")
	}
	res, err := askHere(ctx, cfg, http.MethodGet, "/api/v1/trace?"+q.Encode())
	if errors.Is(err, errStopped) {
		return nil // before the hotline had answered
	}
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return refusal(res)
	}
	defer func() { _ = res.Body.Close() }() // it was read
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, mostLine)
	for lines.Scan() {
		if t.JSON {
			con.say("%s\n", lines.Text())
			continue
		}
		var m liveMessage
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			return fmt.Errorf("read a SIP message from the hotline: %w", err)
		}
		con.say("%s", t.lineOf(m))
	}
	if errors.Is(context.Cause(ctx), errStopped) {
		return nil
	}
	return cutOff(lines.Err(), "SIP messages")
}

// cutOff says that the hotline's answer ended before its end; what came until then is there.
func cutOff(err error, what string) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the hotline, or the way to it, cut off the %s: what came until then is all there is: %w", what, err)
	}
	if err != nil {
		return fmt.Errorf("read %s from the hotline: %w", what, err)
	}
	return nil
}

// liveMessage is a message as the API writes it: an address that is not known is empty there.
type liveMessage struct {
	call.SIPMessage
	Local  string `json:"local"`
	Remote string `json:"remote"`
}

// lineOf is a message as text: when, who to whom, what; and its headers, if they are wanted.
func (t *traceCmd) lineOf(m liveMessage) string {
	if m.Omitted > 0 {
		return fmt.Sprintf("(%d messages were not shown: they came too fast)\n", m.Omitted)
	}
	s := m.SIPMessage
	s.Local, _ = netip.ParseAddrPort(m.Local) // "?" is shown for none
	s.Remote, _ = netip.ParseAddrPort(m.Remote)
	from, to := addressOf(s.Local), addressOf(s.Remote)
	if s.Received {
		from, to = to, from
	}
	text := fmt.Sprintf("%s %s %s -> %s  %s\n", s.At.Format("15:04:05.000"), s.Transport, from, to, labelOf(s))
	if t.Messages {
		text += strings.Join(headOf(s)[1:], "\n") + "\n"
	}
	return text
}
