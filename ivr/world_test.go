package ivr

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// world puts into o what a case says of everything around menus:
//
//	-- calendars --   NAME open|closed
//	-- outages --     ID FROM TO AREAS [PROMPT]    instants as durations from the start; areas a,b or -
//	-- outages -- fails                            the list cannot be had
//
// The languages with prompts are zh and en.
func world(t *testing.T, o *Options, part func(string) []string) {
	t.Helper()
	o.Languages = []string{"zh", "en"}
	o.Spell = func(digits string) []string { return strings.Split(digits, "") }
	o.Calendars = map[string]Hours{}
	for _, line := range part("calendars") {
		name, state, _ := strings.Cut(line, " ")
		o.Calendars[name] = always(state == "open")
	}
	var all []call.Outage
	var failed error
	begin := time.Now()
	for _, line := range part("outages") {
		if line == "fails" {
			failed = io.ErrUnexpectedEOF
			continue
		}
		f := append(strings.Fields(line), "")
		from, err := time.ParseDuration(f[1])
		require.NoError(t, err)
		to, err := time.ParseDuration(f[2])
		require.NoError(t, err)
		outage := call.Outage{ID: f[0], From: begin.Add(from), To: begin.Add(to), Prompt: f[4]}
		if f[3] != "-" {
			outage.Areas = strings.Split(f[3], ",")
		}
		all = append(all, outage)
	}
	o.Outages = func(context.Context) ([]call.Outage, error) { return slices.Clone(all), failed }
}

type always bool

func (a always) Open(time.Time) bool { return bool(a) }

// server answers look-ups from a case: AFTER STATUS BODY, one line each, or: AFTER fails. What it is asked goes
// into the transcript.
type server struct {
	line    *script
	answers []string
}

func (s *server) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	s.line.note("%s", strings.Join(slices.DeleteFunc([]string{
		r.Method, r.URL.String(), string(body), r.Header.Get("Authorization"),
	}, func(w string) bool { return w == "" }), " "))
	f := strings.SplitN(s.answers[0], " ", 3)
	s.answers = s.answers[1:]
	after, err := time.ParseDuration(f[0])
	if err != nil {
		return nil, err
	}
	if err := sleep(r.Context(), after); err != nil {
		return nil, &url.Error{Op: "Get", URL: r.URL.String(), Err: err}
	}
	if f[1] == "fails" {
		return nil, &url.Error{Op: "Get", URL: r.URL.String(), Err: errors.New("no route to host")}
	}
	status, err := strconv.Atoi(f[1])
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(f[2]))}, nil
}
