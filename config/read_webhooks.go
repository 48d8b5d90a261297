package config

import (
	"fmt"
	"net/netip"
	"net/url"
)

const wantURL = "https://HOST/…, or http://127.0.0.1:PORT/… on this machine"

func (r *reader) webhooks(v value) {
	v.items("a list of {url, secret}", func(i int, item value) {
		w := Webhook{Name: fmt.Sprintf("hook%d", i+1)}
		hasURL, hasSecret := false, false
		numbers := maskedNumbers
		item.fields(
			field{keyName, func(v value) { v.text(&w.Name, nameShape) }},
			field{keyURL, func(v value) {
				if hasURL = v.secret(&w.URL); hasURL && w.URL.value != "" && !mayTell(w.URL.value) {
					v.problem("not such a URL", wantURL) // which is not shown: it may hold a token
				}
			}},
			field{keySecret, func(v value) { hasSecret = v.secret(&w.Secret) }},
			field{"events", func(v value) { listOf(v, &w.Events, EventKinds()...) }},
			field{keyNumbers, func(v value) { oneOf(v, &numbers, maskedNumbers, fullNumbers) }},
		)
		w.FullNumbers = numbers == fullNumbers
		for _, missing := range []struct {
			key, want string
			given     bool
		}{{keyURL, wantURL, hasURL}, {"secret", wantSecret, hasSecret}} {
			if !missing.given {
				r.report(item.path+"."+missing.key, "nothing, or what is not set", missing.want)
			}
		}
		r.cfg.Webhooks = append(r.cfg.Webhooks, w)
	})
}

// numbering is how callers' numbers are told.
type numbering string

const (
	maskedNumbers numbering = "masked"
	fullNumbers   numbering = "full"
)

// mayTell reports whether something may be told at a URL: what leaves this machine is encrypted.
func mayTell(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return false
	}
	a, err := netip.ParseAddr(u.Hostname())
	here := u.Hostname() == "localhost" || err == nil && a.IsLoopback()
	return u.Scheme == "https" || u.Scheme == "http" && here
}
