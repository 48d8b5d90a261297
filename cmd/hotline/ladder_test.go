package main

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/stretchr/testify/require"

	"hotline/call"
)

var update = flag.Bool("update", false, "write the golden files of testdata anew")

// talk makes the ladder of a call, message by message.
type talk struct {
	messages []call.SIPMessage
	at       time.Time
}

var ladderBegan = time.Date(2026, 3, 1, 2, 20, 0, 0, time.UTC)

// says adds a message: after ms milliseconds, from (<) or to (>) a party, with its start line, CSeq and body.
// Parties with four digits are agents.
func (k *talk) says(ms int, way, party, start, method, body string) {
	if k.at.IsZero() {
		k.at = ladderBegan
	}
	k.at = k.at.Add(time.Duration(ms) * time.Millisecond)
	m := call.SIPMessage{
		At: k.at, Party: party, Agent: len(party) == 4, Received: way == "<", Transport: "UDP",
		Local: netip.MustParseAddrPort("192.0.2.1:5060"), Remote: netip.MustParseAddrPort("198.51.100.7:5060"),
		Head: start + "\r\nCall-ID: c-" + party + "\r\nCSeq: 1 " + method, Body: body,
	}
	k.messages = append(k.messages, m)
}

const sdp = "application/sdp, 214 octets"

// answeredCall is a call with agents who are rung in turn, the last of whom answers.
func answeredCall(caller string, agents ...string) *talk {
	k := &talk{}
	k.says(0, "<", caller, "INVITE sip:96777@192.0.2.1 SIP/2.0", "INVITE", sdp)
	k.says(1, ">", caller, "SIP/2.0 100 Trying", "INVITE", "")
	k.says(4, ">", caller, "SIP/2.0 200 OK", "INVITE", sdp)
	k.says(500, ">", caller, "SIP/2.0 200 OK", "INVITE", sdp)
	k.says(20, "<", caller, "ACK sip:hotline@192.0.2.1 SIP/2.0", "ACK", "")
	for i, agent := range agents {
		k.says(3000, ">", agent, "INVITE sip:"+agent+"@192.0.2.9 SIP/2.0", "INVITE", sdp)
		k.says(11, "<", agent, "SIP/2.0 180 Ringing", "INVITE", "")
		if i < len(agents)-1 {
			k.says(15000, ">", agent, "CANCEL sip:"+agent+"@192.0.2.9 SIP/2.0", "CANCEL", "")
			k.says(3, "<", agent, "SIP/2.0 200 OK", "CANCEL", "")
			k.says(1, "<", agent, "SIP/2.0 487 Request Terminated", "INVITE", "")
			k.says(1, ">", agent, "ACK sip:"+agent+"@192.0.2.9 SIP/2.0", "ACK", "")
			continue
		}
		k.says(4000, "<", agent, "SIP/2.0 200 OK", "INVITE", sdp)
		k.says(1, ">", agent, "ACK sip:"+agent+"@192.0.2.9 SIP/2.0", "ACK", "")
		k.says(75000, "<", agent, "BYE sip:hotline@192.0.2.1 SIP/2.0", "BYE", "")
		k.says(1, ">", agent, "SIP/2.0 200 OK", "BYE", "")
	}
	k.says(1, ">", caller, "BYE sip:caller@198.51.100.7 SIP/2.0", "BYE", "")
	k.says(9, "<", caller, "SIP/2.0 200 OK", "BYE", "")
	return k
}

// TestLadderDrawn holds drawings against golden files; each line fits the terminal.
func TestLadderDrawn(t *testing.T) {
	t.Parallel()
	two := answeredCall("139******34", "8002")
	flood := answeredCall("139******34")
	flood.messages = append(flood.messages, call.SIPMessage{At: flood.at, Party: "139******34", Omitted: 12})
	agentCalls := &talk{}
	agentCalls.says(0, "<", "8001", "INVITE sip:96777@192.0.2.1 SIP/2.0", "INVITE", sdp)
	agentCalls.says(2, ">", "8001", "SIP/2.0 401 Unauthorized", "INVITE", "")
	hostile := &talk{}
	hostile.says(0, "<", "anonymous", "INVITE sip:96777@192.0.2.1 SIP/2.0\r\nSubject: \x1b[2J\u202e\x07", "INVITE", "text/plain\x1b, 3 octets")
	hostile.says(2, ">", "anonymous", "SIP/2.0 415 不支持的媒体类型不支持的媒体类型不支持的媒体类型", "INVITE", "")
	hostile.says(2, "<", "anonymous", "\x1b]0;x\x07", "", "")
	for _, c := range []struct {
		name     string
		messages []call.SIPMessage
		width    int
		heads    bool
	}{
		{"two-parties", answeredCall("139******34").messages, 80, false},
		{"three-parties", two.messages, 80, false},
		{"three-narrow", two.messages, 60, false},
		{"three-list", two.messages, 40, false},
		{"four-parties", answeredCall("139******34", "8003", "8002").messages, 80, false},
		{"five-parties", answeredCall("139******34", "8004", "8003", "8002").messages, 80, false},
		{"six-list", answeredCall("139******34", "8004", "8003", "8001", "8002").messages, 80, false},
		{"six-wide", answeredCall("139******34", "8004", "8003", "8001", "8002").messages, 132, false},
		{"messages", flood.messages[3:], 80, true},
		{"agent-calls", agentCalls.messages, 80, false},
		{"hostile", hostile.messages, 80, true},
		{"nothing", nil, 80, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			lines := drawLadder(c.messages, c.width, c.heads)
			for _, line := range lines {
				require.NotContains(t, line, "\x1b")
				if !c.heads && !strings.HasSuffix(c.name, "-list") {
					require.Less(t, runewidth.StringWidth(line), c.width, line)
				}
			}
			file := filepath.Join("testdata", "ladder-"+c.name+".txt")
			got := strings.Join(append(lines, ""), "\n")
			if *update {
				require.NoError(t, os.WriteFile(file, []byte(got), 0o600))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, string(want), got)
		})
	}
}

// A ladder of any parties at any width is drawn, every message in it.
func TestLadderFitsAnything(t *testing.T) {
	t.Parallel()
	for agents := range 12 {
		var ids []string
		for i := range agents {
			ids = append(ids, fmt.Sprint(8000+i))
		}
		k := answeredCall("客户客户客户客户客户客户客户客户客户", ids...)
		for width := range 200 {
			require.GreaterOrEqual(t, len(drawLadder(k.messages, width, false)), len(k.messages))
		}
	}
}
