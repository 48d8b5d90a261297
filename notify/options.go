package notify

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"hotline/call"
)

// Options of a [Hub]. Client and Dir are needed where there are hooks.
type Options struct {
	Hooks []Hook
	// Dir is the folder of the spools, one file for each hook; it is made if it is missing. What waits there for
	// hooks that are not in Hooks any more is deleted: it is personal data that nobody will send.
	Dir string
	// Client sends; it must follow no redirect and refuse addresses that are not to be asked. Within bounds each
	// request, 10 s if it is 0.
	Client Doer
	Within time.Duration
	// Queues are the queues there are, for the figures: an event of any other counts for none.
	Queues []string
	// Logger may be nil: silent. Registry may be nil: no metrics.
	Logger   *zap.Logger
	Registry prometheus.Registerer
}

// Doer makes HTTP requests. The answer's body is closed by who asked.
type Doer interface {
	Do(r *http.Request) (*http.Response, error)
}

// Hook is one program that is told.
type Hook struct {
	// Name is a label of metrics and the spool's file: letters, digits, - and _, at most 64, each name once.
	Name string
	// URL is http or https, with a host.
	URL string
	// Secret signs what is sent (HMAC-SHA256). Never empty, and never logged.
	Secret string
	// Events are the kinds that are told; empty means all.
	Events []call.EventKind
	// FullNumbers: callers' numbers are sent as they are; otherwise masked.
	FullNumbers bool
}

// Defaults and bounds.
const (
	defaultWithin = 10 * time.Second
	// maxQueued bounds what waits in a lane; beyond it the oldest is dropped, and counted.
	maxQueued = 1000
	// giveUp is how old an event may become before it is not sent any more.
	giveUp = 24 * time.Hour
)

var hookName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

// complete fills in the defaults and returns every problem at once. No problem tells a secret.
func (o *Options) complete() error {
	o.Within = cmp.Or(o.Within, defaultWithin)
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	var problems []error
	seen := map[string]bool{}
	for _, h := range o.Hooks {
		u, err := url.Parse(h.URL)
		switch {
		case !hookName.MatchString(h.Name) || seen[h.Name]:
			problems = append(problems, fmt.Errorf("webhook %q: not a name, or one that is there twice", h.Name))
		case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil:
			problems = append(problems, fmt.Errorf("webhook %q: not the URL of a server, without a password in it", h.Name))
		case h.Secret == "":
			problems = append(problems, fmt.Errorf("webhook %q: no secret to sign with", h.Name))
		}
		seen[h.Name] = true
	}
	if len(o.Hooks) > 0 && (o.Client == nil || o.Dir == "") {
		problems = append(problems, errors.New("webhooks need a client and a folder"))
	}
	return errors.Join(problems...)
}
