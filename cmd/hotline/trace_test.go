package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/internal/testkit"
	"hotline/store/sqlstore"
	"hotline/store/storetest"
)

// TestTraceOfACall: a call's ladder is there while it lasts, by the API; and when it is over, beside the running
// hotline and after it, by the command.
func TestTraceOfACall(t *testing.T) {
	t.Parallel()
	s := serve(t)
	leg := telephones(t, s.sip).ring(t)
	s.until("/api/v1/calls", `"joined":"2`)
	config := premises{data: s.data}.file(t)
	trace := func(args ...string) (code int, out, complaints string) {
		return command(t, append([]string{"trace", "--config", config}, args...)...)
	}
	code, _, complaints := trace(lastCall)
	require.Equal(t, exitFault, code)
	require.Contains(t, complaints, "it goes on")
	_, list := s.get("/api/v1/calls", supervisorToken)
	var calls struct{ Calls []struct{ ID string } }
	require.NoError(t, json.Unmarshal([]byte(list), &calls))
	id := calls.Calls[0].ID
	require.Contains(t, complaints, "/api/v1/calls/"+id+"/trace")
	s.until("/api/v1/calls/"+id+"/trace", "ACK sip:hotline@")
	_, body := s.get("/api/v1/calls/"+id+"/trace", supervisorToken)
	require.Contains(t, body, `"party":"8003","agent":true,"received":false`)
	require.Contains(t, body, `"party":"139******34"`)
	require.NotContains(t, body, "13900001234")
	status, body := s.get("/api/v1/calls/"+id+"/trace?numbers=1", supervisorToken)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, "13900001234")
	require.Contains(t, s.err.String(), "audit: numbers shown")
	require.NotContains(t, s.err.String(), "13900001234")

	leg.Hangup(call.CauseBye)
	var drawn string
	testkit.Within(t, patience, "the ladder to be kept", func() bool {
		code, drawn, complaints = trace(id)
		return code == exitOK && strings.Count(drawn, "200 OK (BYE)") >= 2 // of both legs; one may be sent again
	})
	for _, over := range []string{id, "0199-aa"} {
		code, _, complaints = command(t, "pcap", over, "--config", premises{http: s.http}.file(t))
		require.Equal(t, exitFault, code)
		require.Contains(t, complaints, "404 Not Found")
		require.Contains(t, complaints, "no such call in progress")
	}
	rungs := strings.Split(drawn, "\n")
	require.Equal(t, "call "+id, rungs[0])
	require.Regexp(t, `^139\*{6}34 -> 96119, .* \+0800, answered \(caller-hangup\)$`, rungs[1])
	require.Regexp(t, `^ +139\*{6}34 +hotline +8003$`, rungs[3])
	require.Regexp(t, `^ +0\.000 +\|-+ INVITE sdp -+>\| +\|$`, rungs[4])
	require.Regexp(t, `\| +\|-+ INVITE sdp -+>\|\n`, drawn)
	require.Regexp(t, `\| +\|<-+ 180 Ringing -+\|\n`, drawn)

	s.stop()
	require.Equal(t, exitOK, s.code(t), s.err)
	for _, args := range [][]string{{lastCall}, {id}, {id[:len(id)-8]}} {
		_, again, complaints := trace(args...)
		require.Equal(t, drawn, again, complaints)
	}
	_, heads, _ := trace(lastCall, "--messages")
	require.Contains(t, heads, "From: <sip:139******34@")
	require.NotContains(t, heads, "13900001234")
	_, heads, _ = trace(lastCall, "--messages", "--numbers")
	require.Contains(t, heads, "From: <sip:13900001234@")
	_, text, _ := trace(lastCall, "--json")
	var got struct {
		Call     string
		Messages []call.SIPMessage
	}
	require.NoError(t, json.Unmarshal([]byte(text), &got))
	require.Equal(t, id, got.Call)
	require.Equal(t, "139******34", got.Messages[0].Party)
	require.True(t, strings.HasPrefix(got.Messages[0].Head, "INVITE sip:96119@"))
}

// TestTraceOfNobody: who is no agent is not watched by his name, and told so; a caller's number is not in the log.
func TestTraceOfNobody(t *testing.T) {
	t.Parallel()
	a, s, change := reloadable(t)
	watch := func(who string) (int, string) {
		code, _, complaints := command(t, "trace", who, "--for", "1s", "--config", s.data)
		return code, complaints
	}
	for _, who := range []string{"13900001234", "8004", "city"} {
		code, complaints := watch(who)
		require.Equal(t, exitFault, code, who)
		require.Contains(t, complaints, "or the id of an agent is needed, and no agent has that one")
		require.Contains(t, complaints, "by its address")
	}
	change("agents: [", `agents: [{id: "8004", password: four, skills: {repair: 1}}, `)
	require.Empty(t, a.reload("test").Problems)
	for _, who := range []string{"8003", "8004", "127.0.0.1", "192.0.2.1:5060"} {
		code, complaints := watch(who)
		require.Zero(t, code, complaints)
	}
}

// TestTraceCannot: what is wrong is said, with what to do.
func TestTraceCannot(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	good := premises{data: data}.file(t)
	text, err := os.ReadFile(good)
	require.NoError(t, err)
	off := write(t, strings.Replace(string(text), "sip: {", "sip: {trace_keep: 0s, ", 1))
	said := func(want string, args ...string) {
		code, out, complaints := command(t, append([]string{"trace", "--config"}, args...)...)
		require.Equal(t, exitFault, code)
		require.Empty(t, out)
		require.Contains(t, complaints, want)
	}
	said("has no call records; --config says where", good, lastCall)
	said("sip.trace_keep is 0", off, lastCall)
	said("none.yaml", filepath.Join(data, "none.yaml"), lastCall)
	s, err := sqlstore.Open(t.Context(), sqlstore.Options{Path: filepath.Join(data, "hotline.db"), LadderKeep: time.Hour})
	require.NoError(t, err)
	said("has no call yet", good, lastCall)
	for _, id := range []string{"0199-aa", "0199-ab"} {
		require.NoError(t, s.Finish(t.Context(), storetest.Full(id)))
	}
	require.NoError(t, s.Close())
	said(`no call's id begins with "0200"`, good, "0200")
	said("several calls begin with", good, "0199")
	said("they are kept for 168h", good, "0199-aa")
}

// TestTraceOfAnAgentsCall: what an agent dialled may be a customer's number, and is no more shown than a caller's.
func TestTraceOfAnAgentsCall(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	s, err := sqlstore.Open(t.Context(), sqlstore.Options{Path: filepath.Join(data, "hotline.db"), LadderKeep: time.Hour})
	require.NoError(t, err)
	made := storetest.Full("0199-aa")
	made.From, made.To, made.Trunk = "8003", "13912345678", "agent:8003"
	s.Trace(made.ID, []call.SIPMessage{
		{At: time.Now(), Party: "8003", Agent: true, Received: true, Head: "INVITE sip:13912345678@h SIP/2.0\r\nTo: <sip:13912345678@h>"},
		{At: time.Now(), Party: "13912345678", Head: "INVITE sip:13912345678@trunk SIP/2.0"},
	})
	require.NoError(t, s.Finish(t.Context(), made))
	require.NoError(t, s.Close())
	config := premises{data: data}.file(t)
	for _, how := range []string{"--messages", "--json"} {
		code, out, complaints := command(t, "trace", "--config", config, how, lastCall)
		require.Equal(t, exitOK, code, complaints)
		require.Contains(t, out, "139******78")
		require.NotContains(t, out, "13912345678")
	}
}
