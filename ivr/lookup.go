package ivr

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"go.uber.org/zap"

	"hotline/call"
)

// Bounds of a look-up.
const (
	MaxLookup  = 30 * time.Second // that it may take
	maxRequest = 8 << 10          // octets of an address with its values
	maxReply   = 64 << 10         // octets of an answer
)

// Doer makes one HTTP request. An *http.Client is one; it must follow no redirect, and reach only what it may.
type Doer interface {
	Do(r *http.Request) (*http.Response, error)
}

// LookupOptions are those of kind lookup.
type LookupOptions struct {
	// URL is where to ask, by http or https. {NAME} stands for the value of a variable, {caller} for the
	// caller's number, in the path or the query, never in the host.
	URL string
	// Method is GET or POST; empty means GET.
	Method string
	// Send are the variables that a POST sends, as a JSON object of strings.
	Send []string
	// Token is sent as a bearer's (RFC 6750 section 2.1); empty: none.
	Token string
	// Timeout of all of it: above 0, at most MaxLookup.
	Timeout time.Duration
	// Field is the one of the answer, a JSON object, whose value Cases has; empty: none is looked at.
	Field string
	// Cases are where values of Field lead. Any other goes the way of Otherwise, as every failure does.
	Cases map[string]call.Next
	// Set are variables, each with the field of the answer that it takes, if it is there.
	Set map[string]string
}

// Failures of a look-up that are not the net's.
var (
	errNoValue  = errors.New("a part of the address has no value that may stand there")
	errTooLong  = errors.New("address or answer too long")
	errStatus   = errors.New("not answered with 200")
	errNoObject = errors.New("the answer is no JSON object")
	errNoAnswer = errors.New("no answer")
)

// lookup asks a server of the operator's about the caller.
type lookup struct {
	name, prompt string
	options      LookupOptions
	address      *address
	otherwise    call.Next
	shared       *Options
}

// walk asks while the caller hears the prompt. Whatever goes wrong is logged, without a value in it, and leads
// the way of Otherwise: nobody is lost to somebody else's server.
func (l *lookup) walk(ctx context.Context, line call.Line) (call.Next, error) {
	begun := time.Now()
	answer, failed, err := l.learn(ctx, line)
	if err != nil {
		return call.Next{}, err
	}
	l.shared.metrics.lookedUp(l.name, time.Since(begun), failed)
	if failed != nil {
		l.shared.Logger.Warn("look-up failed", zap.String("call", line.ID()), zap.String("menu", l.name), zap.Error(failed))
		line.Chose(l.name, otherwise)
		return l.otherwise, nil
	}
	for _, name := range slices.Sorted(maps.Keys(l.options.Set)) {
		if value, ok := answer[l.options.Set[name]]; ok && !line.Set(name, value) {
			l.shared.Logger.Warn("what a look-up said is not kept: too long, or too much", zap.String("call", line.ID()),
				zap.String("menu", l.name), zap.String("variable", name))
		}
	}
	value, ok := answer[l.options.Field]
	next, listed := l.options.Cases[value]
	if !ok || !listed || l.options.Field == "" {
		line.Chose(l.name, otherwise)
		return l.otherwise, nil
	}
	line.Chose(l.name, value) // one of those in Cases
	return next, nil
}

// learn asks while the caller hears the prompt. failed is why there is no answer; err is the line's.
func (l *lookup) learn(ctx context.Context, line call.Line) (answer map[string]string, failed, err error) {
	q, failed := l.request(line)
	if failed != nil {
		return nil, failed, nil
	}
	failed = errNoAnswer // unless the function below returns
	err = line.During(ctx, func(ctx context.Context) { answer, failed = l.ask(ctx, q) }, said(l.prompt)...)
	return answer, failed, err
}

// said is a prompt that may be none.
func said(prompt string) []string {
	if prompt == "" {
		return nil
	}
	return []string{prompt}
}

// query is a look-up about to be made, of nothing that the call's owner may change meanwhile.
type query struct {
	address string
	body    []byte
}

// request gathers the values.
func (l *lookup) request(line call.Line) (q query, err error) {
	value := func(name string) string {
		if name == CallerVariable {
			return line.Caller()
		}
		return line.Get(name)
	}
	if q.address, err = l.address.expand(value); err != nil {
		return q, err
	}
	if l.options.Method != http.MethodPost {
		return q, nil
	}
	send := make(map[string]string, len(l.options.Send))
	for _, name := range l.options.Send {
		send[name] = value(name)
	}
	q.body, err = json.Marshal(send)
	return q, err
}

// ask makes the request, and returns the fields of the answer that have a plain value.
func (l *lookup) ask(ctx context.Context, q query) (_ map[string]string, err error) {
	ctx, cancel := context.WithTimeout(ctx, l.options.Timeout)
	defer cancel()
	method := http.MethodGet
	if l.options.Method == http.MethodPost {
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(ctx, method, q.address, bytes.NewReader(q.body))
	if err != nil {
		return nil, errNoValue // what url.Parse says holds the values
	}
	r.Header.Set("Accept", "application/json")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	if l.options.Token != "" {
		r.Header.Set("Authorization", "Bearer "+l.options.Token)
	}
	resp, err := l.shared.HTTP.Do(r)
	if err != nil {
		if inner, ok := errors.AsType[*url.Error](err); ok {
			err = inner.Err // the address holds values
		}
		return nil, fmt.Errorf("ask: %w", err)
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d: %w", resp.StatusCode, errStatus)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReply+1))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	return plainFields(body)
}

// buildLookup makes a node that asks a server.
func buildLookup(name string, o MenuOptions, shared *Options) built {
	l := &lookup{name: name, prompt: o.Prompt, options: o.Lookup, otherwise: o.Otherwise, shared: shared}
	b := built{node: l}
	wrong := func(kind ProblemKind, field, found, want string) {
		b.problems = append(b.problems, &ProblemError{kind, name, field, found, want})
	}
	if o.Prompt != "" {
		b.prompts = []named{{promptField, o.Prompt}}
	}
	var err error
	if l.address, err = parseAddress(o.Lookup.URL); err != nil {
		wrong(BadURL, "url", err.Error(), "http://HOST/... or https://HOST/..., with {NAME} in the path or the query")
	} else {
		for _, used := range l.address.names() {
			b.uses = append(b.uses, named{"url", used})
		}
	}
	for _, used := range o.Lookup.Send {
		b.uses = append(b.uses, named{"send", used})
	}
	if o.Lookup.Method != http.MethodPost && len(o.Lookup.Send) > 0 {
		wrong(BadURL, "send", "something to send with a GET", "method: POST")
	}
	if o.Lookup.Timeout <= 0 || o.Lookup.Timeout > MaxLookup {
		wrong(OutOfRange, "timeout", o.Lookup.Timeout.String(), fmt.Sprintf("above 0 and at most %s", MaxLookup))
	}
	if (o.Lookup.Field == "") != (len(o.Lookup.Cases) == 0) {
		wrong(OutOfRange, "field", "one of field and cases", "both, or neither where only set matters")
	}
	for _, value := range slices.Sorted(maps.Keys(o.Lookup.Cases)) {
		b.ways = append(b.ways, way{field: "cases." + value, next: o.Lookup.Cases[value], silent: true})
	}
	for _, set := range slices.Sorted(maps.Keys(o.Lookup.Set)) {
		b.sets = append(b.sets, set)
		if set == CallerVariable {
			wrong(OutOfRange, "set."+set, "the caller's number", "another name")
		}
	}
	b.ways = append(b.ways, way{field: otherwise, next: o.Otherwise, silent: true})
	return b
}
