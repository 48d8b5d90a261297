package config

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Keys of trunks, and some of others.
const (
	keyRegister = "register"
	keyRefresh  = "refresh"
	keyUser     = "user"
	keyDomain   = "domain"
	keyLogin    = "login"
	keyPing     = "ping"
	keyUsername = "username"
	keyPassword = "password"
	keyShows    = "shows"
	keyTLS      = "tls"
)

const (
	leastRegister   = time.Minute
	defaultRegister = time.Hour
	// A carrier over UDP that restarted within seconds has forgotten us, and nothing else says so; and a NAT between forgets
	// us after as little as half a minute (RFC 4787 section 4.3 has two, and few keep to it).
	leastRefresh   = 5 * time.Second
	refreshOverUDP = time.Minute
	pingOverUDP    = 30 * time.Second
)

// register reads how a trunk is registered to.
func (v value) register(t *Trunk) {
	g := &t.Register
	g.Expires = defaultRegister
	v.fields(
		field{keyAddress, func(v value) { v.trunkAddress(&g.Address) }},
		field{keyUsername, func(v value) { v.text(&g.Username, realmShape) }},
		field{keyPassword, func(v value) {
			if !v.secret(&g.Password) {
				v.problem("a password that is not set", "one that is")
			}
		}},
		field{keyUser, func(v value) { v.sipUser(&g.User) }},
		field{"expires", func(v value) { v.seconds(&g.Expires, leastRegister, day) }},
		field{keyRefresh, func(v value) {
			v.duration(&g.Refresh, 0, day)
			if g.Refresh != 0 && g.Refresh < leastRefresh {
				v.problem(brief(g.Refresh), "0s, which is as late as the carrier allows, or at least 5s")
			}
		}},
	)
	v.require(keyUsername, realmShape.want)
	v.require(keyPassword, wantSecret)
	if strings.Contains(g.Username, "@") && !v.r.written(v.path+"."+keyUser) {
		v.r.report(v.path+"."+keyUsername, foundAt, "user: PART as well, the part before the @, and domain: HOST of the trunk, the part behind it")
	}
}

// userShape is the user of a SIP URI, as accounts have it (RFC 3261 section 25.1).
var userShape = shape{regexp.MustCompile(`^[A-Za-z0-9+*._~-]{1,64}$`), "1 to 64 letters, digits, + * . _ ~ or -"}

const foundAt = "an @, which no user of a SIP address has"

// sipUser takes the user of an address.
func (v value) sipUser(dst *string) {
	if text, ok := v.scalar(userShape.want); ok && strings.Contains(text, "@") {
		v.problem(foundAt, "the part before it; the part behind it is domain: HOST of the trunk")
		return
	}
	v.text(dst, userShape)
}

// settleRegister gives a registration the trunk's address, where it has none of its own, and calls through the trunk the
// account that we register with, where they have none.
func (v value) settleRegister(t *Trunk) {
	path := v.path + "." + keyRegister
	if !v.r.written(path) {
		// A trunk of TLS that is pinged calls over the connection that the pings keep.
		if !v.r.written(v.path+"."+keyLogin) && (t.Address.Network != tls || t.Ping == 0) {
			v.require("allow", wantPrefix+", or register, or login, or ping with an address of tls")
		}
		return
	}
	if !v.r.written(path + "." + keyAddress) {
		t.Register.Address = t.Address
		if !v.r.written(v.path + "." + keyAddress) {
			v.r.report(path+"."+keyAddress, "nothing", wantTrunkAddress)
		}
	}
	if t.Register.Address.Network == udp {
		if !v.r.written(path + "." + keyRefresh) {
			t.Register.Refresh = refreshOverUDP
		}
		if !v.r.written(v.path + "." + keyPing) {
			t.Ping = pingOverUDP
		}
	}
	if t.Address != (TrunkAddress{}) && t.Username == "" && !v.r.written(v.path+".username") {
		t.Username, t.Password = t.Register.Username, t.Register.Password
	}
}

// settlePing reports a ping that has nowhere to go, or is not within what it may be: the bounds have a hole.
func (v value) settlePing(t *Trunk) {
	path := v.path + "." + keyPing
	switch {
	case t.Ping == 0:
	case t.Ping < time.Second:
		v.r.report(path, brief(t.Ping), "0s, which is never, or at least 1s")
	case v.anywhere():
		v.r.report(path, "a trunk that is not called out through", "address: "+wantTrunkAddress+"; or register")
	}
}

// settleDomain reports a domain of a trunk that we never ask for anything.
func (v value) settleDomain() {
	if path := v.path + "." + keyDomain; v.r.written(path) && v.anywhere() {
		v.r.report(path, "a trunk that is not called out through", "address: "+wantTrunkAddress+"; or register")
	}
}

// anywhere reports whether a trunk may be anywhere: there is no address of it to send something to.
func (v value) anywhere() bool {
	return !v.r.written(v.path+"."+keyAddress) && !v.r.written(v.path+"."+keyRegister)
}

const wantThrough = "a trunk's name, or a list: each a name, or {NAME: WEIGHT, NAME: WEIGHT} of those that share the calls"

// through takes a trunk's name, or a list of names and of groups that share the calls by weight.
func (v value) through(d *Dial) {
	if v.node.Kind != yaml.SequenceNode {
		v.text(&d.Through, nameShape)
		return
	}
	v.items(wantThrough, func(_ int, item value) {
		var group []DialWay
		if item.node.Kind != yaml.MappingNode {
			w := DialWay{Weight: 1}
			item.text(&w.Trunk, nameShape)
			group = append(group, w)
		} else {
			item.entries(func(name string, child value) {
				w := DialWay{Trunk: name}
				child.integer(&w.Weight, 1, 100)
				group = append(group, w)
			})
		}
		if len(group) > 0 {
			d.Ways = append(d.Ways, group)
		}
	})
	if len(d.Ways) == 0 && !v.r.broken[v.path] {
		v.problem("an empty list", wantThrough)
		return
	}
	if len(d.Ways) > 0 {
		d.Through = d.Ways[0][0].Trunk
	}
}

// areaShape is an area code of China, as it is written with its 0 or without.
var areaShape = shape{
	regexp.MustCompile(`^0?(10|2[0-9]|[3-9][0-9]{2})$`), "an area code of China, such as 010 or 755",
}

// normalise reads how a trunk's numbers are written.
func (v value) normalise(n *Normalise) {
	n.Shown, n.Dialled = NumberNational, NumberNational
	country := "86"
	v.fields(
		field{"country", func(v value) { oneOf(v, &country, "86") }}, // the only plan there is
		field{"area", func(v value) { v.text(&n.Area, areaShape) }},
		field{"shown", func(v value) { oneOf(v, &n.Shown, NumberNational, NumberLocal, NumberE164, NumberAsIs) }},
		field{"dialled", func(v value) { oneOf(v, &n.Dialled, NumberNational, NumberLocal, NumberE164, NumberAsIs) }},
	)
	n.Area = strings.TrimPrefix(n.Area, "0")
}

// login reads what a trunk proves with that a call is its.
func (v value) login(l *TrunkLogin) {
	v.fields(
		field{keyUsername, func(v value) { v.text(&l.Username, idShape) }},
		field{keyPassword, func(v value) {
			if !v.secret(&l.Password) {
				v.problem("a password that is not set", "one that is; anybody could call as the trunk")
			}
		}},
	)
	v.require(keyUsername, idShape.want)
	v.require(keyPassword, wantSecret)
}

// checkLogins: a username is one trunk's, and no agent's.
func (r *reader) checkLogins() {
	seen := map[string]string{}
	for i, a := range r.cfg.Agents {
		seen[a.ID] = fmt.Sprintf("agents[%d]", i)
	}
	for i, t := range r.cfg.Trunks {
		user := t.Login.Username
		if user == "" {
			continue
		}
		path := trunkPath(i) + "." + keyLogin + "." + keyUsername
		if other, twice := seen[user]; twice {
			r.report(path, quote(user)+" again, as in "+other, "a username of its own")
		}
		seen[user] = trunkPath(i)
	}
}
