package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"

	"hotline/call"
	"hotline/config"
	"hotline/media"
	"hotline/sip"
	"hotline/web"
)

func (a *app) openSIP() (err error) {
	s := a.cfg.SIP
	sip.SetT1(s.T1)
	o := sip.Options{
		T1: s.T1, TryingAfter: s.TryingAfter, Realm: s.Realm, Digest: names(s.Digest), Engine: a.engine,
		Audio:    sip.AudioOptions{Address: a.cfg.Media.Address, Advertise: a.cfg.Media.Advertise},
		MaxCalls: s.MaxCalls, CPUTime: cpuTime, Cores: cores(os.ReadFile), Ping: s.Ping,
		ExpiresMin: s.Expires.Min, ExpiresMax: s.Expires.Max, ExpiresDefault: s.Expires.Default,
		SessionExpires: s.SessionExpires, MinSE: s.MinSE,
		// The desk and the exchange are wired after the user agent, and before it runs.
		OnIncoming: func(ctx context.Context, in call.Incoming) { a.incoming(ctx, in) },
		OnFlow:     func(agent string, up bool) { a.center.Flow(agent, up) },
		OnPanic:    a.panicked, Ready: a.ready, Logger: a.log.Named("sip"), Registry: a.registry,
	}
	o.Site = a.siteOfSIP()
	if s.TraceKeep > 0 {
		o.Trace = a.store.Trace
	}
	set := a.doorSettings()
	o.Listen, o.Agents, o.Trunks, o.Queues, o.Dial, o.Alarm, o.Codes = set.Listen, set.Agents, set.Trunks, set.Queues, set.Dial, set.Alarm, set.Codes
	o.Overload, o.Abuse = set.Overload, set.Abuse
	a.keepHomes(&o)
	a.ua, err = sip.New(o)
	if err != nil {
		return err
	}
	a.steps.add("SIP sockets", a.ua.Close)
	return nil
}

// doorSettings are who may call and register, and where numbers lead, of the configuration.
func (a *app) doorSettings() (s sip.Settings) {
	s.Alarm, s.Abuse, s.Listen = a.alarmDoor(), abuseOf(a.cfg.SIP.Abuse), listeners(a.cfg)
	const percent = 100
	o := a.cfg.SIP.Overload
	s.Overload = sip.OverloadOptions{Lag: o.Lag, CPU: float64(o.CPU) / percent, Rate: float64(o.Rate)}
	for _, g := range a.cfg.Agents {
		s.Agents = append(s.Agents, sip.AgentOptions{
			ID: g.ID, Name: g.Name, Password: g.Password.Reveal(), HA1: revealed(g.HA1), Digest: names(g.Digest),
			Secure: media.Security(g.SRTP),
		})
	}
	for _, t := range a.cfg.Trunks {
		s.Trunks = append(s.Trunks, trunkOf(t))
	}
	s.Codes = a.cfg.Codes.All()
	s.Queues = slices.Collect(maps.Keys(a.cfg.Queues))
	for _, d := range a.cfg.Dial {
		s.Dial = append(s.Dial, sip.DialRule{
			Prefix: d.Prefix, Digits: sip.DigitRange{Least: d.Digits.From, Most: d.Digits.To}, Trunk: d.Through, Through: waysOf(d), PerMinute: d.PerMinute, AtOnce: d.AtOnce, Longest: d.Longest,
			Hours: sip.Hours{From: d.Hours.From, To: d.Hours.To, Location: a.cfg.Service.Timezone},
		})
	}
	return s
}

// trunkOf is a trunk as package sip has it.
func trunkOf(t config.Trunk) sip.TrunkOptions {
	numbers := make(map[string]call.Next, len(t.Numbers))
	for number, to := range t.Numbers {
		next := leadsTo(to)
		next.Kind = call.Route
		numbers[number] = next
	}
	return sip.TrunkOptions{
		Name: t.Name, Allow: t.Allow, Numbers: numbers, Out: outBy(t), Register: registerBy(t), Login: loginOf(t), Ping: t.Ping,
		Codecs: codecsOf(t.Codecs), MaxCalls: t.MaxCalls, Numbering: numberingOf(t), Doubted: t.Doubted, Secure: media.Security(t.SRTP),
		TLS: tlsOf(t),
	}
}

// checkNumbers: a number leads to one place, in whatever forms the file has it.
func checkNumbers(c *config.Config) (found []config.Finding) {
	for i, t := range c.Trunks {
		o := trunkOf(t)
		if err := o.CheckNumbers(); err != nil {
			found = append(found, config.Finding{
				Path: fmt.Sprintf("trunks[%d].numbers", i), Found: err.Error(), Want: "each number once, since normalise makes those one",
			})
		}
	}
	return found
}

// abuseOf is what strangers may have.
func abuseOf(c config.Abuse) sip.AbuseOptions {
	return sip.AbuseOptions{
		Requests: sip.PerHost(c.Requests), Invites: sip.PerHost(c.Invites), Connections: sip.PerHost(c.Connections),
		Failures: sip.PerHost(c.Failures.PerHost), AccountFailures: c.Failures.Account,
		BanFirst: c.Ban.First, BanMost: c.Ban.Most, Never: c.Never, Scanners: c.Scanners,
	}
}

// listeners are the addresses that SIP is received on.
func listeners(c *config.Config) []sip.Listener {
	out := make([]sip.Listener, len(c.SIP.Listen))
	for i, l := range c.SIP.Listen {
		out[i] = sip.Listener{
			Network: l.Network, Address: l.Address, Advertise: l.Advertise,
			AdvertiseName: l.AdvertiseName, AdvertisePort: l.AdvertisePort, Certificate: l.Certificate, Key: l.Key,
			Path: l.Path, Origins: l.Origins,
		}
	}
	return out
}

// checkListeners: what a listener of TLS shows can be read, and is a pair. Where a name is missing that has been said already.
func checkListeners(c *config.Config) (found []config.Finding) {
	for i, l := range c.SIP.Listen {
		if !l.Secured() || l.Certificate == "" || l.Key == "" {
			continue
		}
		if err := sip.CheckCertificate(l.Certificate, l.Key); err != nil {
			found = append(found, config.Finding{
				Path: fmt.Sprintf("sip.listen[%d].certificate", i), Found: err.Error(), Want: "two files of PEM, a certificate and the key to it",
			})
		}
	}
	return found
}

// tlsOf is how connections to a trunk are secured; nil: as those to anybody.
func tlsOf(t config.Trunk) *sip.TrunkTLS {
	if t.TLS == (config.TrunkTLS{}) {
		return nil
	}
	return &sip.TrunkTLS{CA: t.TLS.CA, Name: t.TLS.Name, Certificate: t.TLS.Certificate, Key: t.TLS.Key}
}

// checkTrunks: what secures connections to trunks can be read.
func checkTrunks(c *config.Config) (found []config.Finding) {
	for i, t := range c.Trunks {
		o := tlsOf(t)
		if o == nil {
			continue
		}
		if err := sip.CheckTrunkTLS(*o); err != nil {
			found = append(found, config.Finding{
				Path: fmt.Sprintf("trunks[%d].tls", i), Found: err.Error(), Want: "files of PEM: authorities in ca, a certificate and the key to it",
			})
		}
	}
	return found
}

// outBy is how numbers outside are called through a trunk; nil where they are not.
func outBy(t config.Trunk) *sip.TrunkOut {
	if t.Address == (config.TrunkAddress{}) {
		return nil
	}
	return &sip.TrunkOut{
		Network: t.Address.Network, Address: t.Address.HostPort(),
		Username: t.Username, Password: t.Password.Reveal(), From: t.From, Domain: t.Domain,
		Shows: shownNumbers[t.Shows],
	}
}

var shownNumbers = map[config.ShownNumber]sip.Shown{
	config.ShowDialled: sip.ShowDialled, config.ShowCaller: sip.ShowCaller, config.ShowNobody: sip.ShowNobody,
}

// waysOf are the trunks of a rule, where it names several.
func waysOf(d config.Dial) [][]sip.TrunkShare {
	var out [][]sip.TrunkShare
	for _, group := range d.Ways {
		var shares []sip.TrunkShare
		for _, w := range group {
			shares = append(shares, sip.TrunkShare{Trunk: w.Trunk, Weight: w.Weight})
		}
		out = append(out, shares)
	}
	return out
}

// loginOf is what a trunk proves that it is with; nil where its address says so.
func loginOf(t config.Trunk) *sip.TrunkLogin {
	if t.Login == (config.TrunkLogin{}) {
		return nil
	}
	return &sip.TrunkLogin{Username: t.Login.Username, Password: t.Login.Password.Reveal()}
}

// numberingOf is how a trunk's numbers are written; nil: as they come.
func numberingOf(t config.Trunk) *sip.Numbering {
	if t.Normalise == (config.Normalise{}) {
		return nil
	}
	return &sip.Numbering{Area: t.Normalise.Area, Shown: numberForms[t.Normalise.Shown], Dialled: numberForms[t.Normalise.Dialled]}
}

var numberForms = map[config.NumberForm]sip.Form{
	config.NumberAsIs: sip.FormAsIs, config.NumberE164: sip.FormE164,
	config.NumberNational: sip.FormNational, config.NumberLocal: sip.FormLocal,
}

func codecsOf(names []config.Codec) []media.Codec {
	codecs := make([]media.Codec, len(names))
	for i, c := range names {
		codecs[i] = media.Codec(c)
	}
	return codecs
}

// registerBy is how a trunk is told where we are; nil where it knows.
func registerBy(t config.Trunk) *sip.TrunkRegister {
	r := t.Register
	if r == (config.TrunkRegister{}) {
		return nil
	}
	return &sip.TrunkRegister{
		Network: r.Address.Network, Address: r.Address.HostPort(), Username: r.Username, Password: r.Password.Reveal(), Expires: r.Expires,
		Refresh: r.Refresh, User: r.User, Domain: t.Domain,
	}
}

// trunkStates are how the trunks are, for the API.
func (a *app) trunkStates() []web.Trunk {
	states := a.ua.Trunks()
	out := make([]web.Trunk, len(states))
	for i, s := range states {
		out[i] = web.Trunk{Name: s.Name, Up: s.Up, Calls: s.Calls, Registration: s.Registration, Until: s.Until, Code: s.Code}
	}
	return out
}

func names(algorithms []config.Digest) []string {
	var out []string
	for _, d := range algorithms {
		out = append(out, string(d))
	}
	return out
}

func revealed(ha1 map[config.Digest]config.Secret) map[string]string {
	out := make(map[string]string, len(ha1))
	for d, s := range ha1 {
		out[string(d)] = s.Reveal()
	}
	return out
}
