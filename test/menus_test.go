package test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// accounts asks for an account number and looks it up.
const accounts = `
menus:
  main: {kind: digits, prompt: please-wait, wait: 3s, variable: account, min: 8, max: 10, pattern: "[1-9][0-9]*", next: {menu: crm}, otherwise: {menu: lost}}
  crm: {kind: lookup, url: "URL/accounts/{account}?from={caller}", token: hush, field: level, cases: {gold: {queue: repair}}, set: {district: district}, otherwise: {menu: lost}}
  lost: {kind: hangup}
`

// customers is a server of the operator's. It answers what body says, and tells what it was asked.
func customers(t *testing.T, body string) (url string, asked <-chan string) {
	t.Helper()
	requests := make(chan string, 10)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests <- r.Method + " " + r.URL.String() + " " + r.Header.Get("Authorization")
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	return s.URL, requests
}

// asking is the city with an account to be keyed and looked up at a server.
func asking(url string) string {
	before, after, _ := strings.Cut(city, "menus:\n")
	_, targets, _ := strings.Cut(after, "targets:")
	return before + strings.ReplaceAll(accounts, "URL", url) + "targets:" + targets
}

// TestDigitsAreLookedUp: a telephone's keys, an account number confirmed, a server's answer, the queue that it
// chooses; all of it in the record, and no number in the log.
func TestDigitsAreLookedUp(t *testing.T) {
	t.Parallel()
	url, asked := customers(t, `{"level": "gold", "district": "西区"}`)
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: asking(url), Race: true})
	phone := agent(t, h, "8002", testkit.BaresipOptions{Auto: true})
	c := testkit.StartCaller(t, testkit.SippCaller{
		To: h.SIP, Number: "96777", From: "13900001234", Keys: "12345678#1", KeyEvery: 300 * time.Millisecond,
		HangUpAfter: 9 * time.Second,
	})
	phone.Await(testkit.CallEstablished)
	require.Equal(t, "GET /accounts/12345678?from=13900001234 Bearer hush", <-asked)
	require.Zero(t, c.Wait(), c.Messages())
	r := over(t, h)
	require.Equal(t, "main/entered/crm/gold", r.MenuPath)
	require.Equal(t, map[string]string{"account": "12345678", "district": "西区"}, r.Answers)
	require.Equal(t, "repair", r.Queue)
	require.Equal(t, "8002", r.Agent)
	require.NotContains(t, h.Log(), "12345678")
	require.NotContains(t, h.Log(), "hush")
}

// TestLookupFails: a server that is not there keeps nobody: the call goes the other way, here to its end, which
// is no failure.
func TestLookupFails(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: asking("http://127.0.0.1:1"), Race: true})
	c := testkit.StartCaller(t, testkit.SippCaller{
		To: h.SIP, Number: "96777", From: "13900001234", Keys: "12345678##", KeyEvery: 300 * time.Millisecond,
	})
	require.Zero(t, c.Wait(), c.Messages())
	r := over(t, h)
	require.Equal(t, "main/entered/crm/otherwise", r.MenuPath)
	require.Equal(t, "informed", r.Result)
	require.Equal(t, "menu", r.Reason)
	require.Equal(t, "system", r.Release)
	require.Contains(t, h.Log(), "look-up failed")
	require.NotContains(t, h.Log(), "12345678")
}

// TestOutagesAreTold: a caller who chooses the second language is told of an outage that was put while the
// hotline ran, by its own recording, in a menu that the hours lead to; the service's voice says the rest.
func TestOutagesAreTold(t *testing.T) {
	t.Parallel()
	prompts := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(prompts, "en"), 0o755))
	testkit.WriteTone(t, filepath.Join(prompts, "en", "gas-safety.wav"), safetyTone, 2)
	before, after, _ := strings.Cut(city, "menus:\n")
	_, targets, _ := strings.Cut(after, "targets:")
	h := testkit.StartHotline(t, testkit.HotlineOptions{Race: true, YAML: before + `
calendar: {always: {week: {sun-sat: [00:00-24:00]}, timezone: Europe/Berlin, exceptions: [{date: 2020-01-01}]}}
prompts: {folder: ` + prompts + `}
menus:
  main: {kind: language, prompt: please-wait, languages: {"1": zh, "2": en}, wait: 3s, next: {menu: hours}}
  hours: {kind: hours, calendar: always, open: {menu: outages}, closed: {menu: bye}}
  outages: {kind: announce, next: {menu: bye}}
  bye: {kind: hangup}
targets:` + targets})
	h.Put("/api/v1/outages/west", `{"from":"2020-01-01T00:00:00Z","to":"2099-01-01T00:00:00Z","prompt":"gas-safety"}`)
	c := caller(t, testkit.BaresipOptions{})
	c.Dial(h.Number("96777"))
	c.Await(testkit.CallEstablished)
	c.SendDigit('2')
	c.Await(testkit.CallClosed)
	r := over(t, h)
	require.Equal(t, "main/2/hours/open/outages/told", r.MenuPath)
	require.Equal(t, "informed", r.Result)
	require.True(t, testkit.HasTone(testkit.ReadWAV(t, c.Heard()).Channels[0], safetyTone, time.Second))
}
