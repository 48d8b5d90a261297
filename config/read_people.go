package config

import (
	"errors"
	"net/netip"
	"time"

	"go.yaml.in/yaml/v3"
)

const wantSecret = "text, ${NAME} from the environment, or file:PATH"

// secret reads a password or token. It reports whether the file gives one at all: an environment
// variable that is unset is none. No problem tells the secret.
func (v value) secret(dst *Secret) (given bool) {
	if !v.is(yaml.ScalarNode, wantSecret) {
		return true
	}
	text, err := resolveSecret(v.node.Value, v.r.env)
	if errors.Is(err, errUnset) {
		return false
	}
	if err != nil {
		v.problem(printable(err.Error()), wantSecret)
		return true
	}
	*dst = Secret{text}
	return true
}

func (r *reader) tokens(v value) {
	v.items("a list of {name, role, token}", func(_ int, item value) {
		t, given := Token{}, false
		item.fields(
			field{keyName, func(v value) { v.text(&t.Name, nameShape) }},
			field{"role", func(v value) { oneOf(v, &t.Role, Supervisor, AgentRole, Auditor, MetricsTap) }},
			field{"token", func(v value) { given = v.secret(&t.Token) }},
			field{"agent", func(v value) { v.text(&t.Agent, idShape) }},
		)
		item.require(keyName, nameShape.want)
		item.require("role", orList([]Role{Supervisor, AgentRole, Auditor, MetricsTap}))
		if !given {
			made, err := randomToken()
			if err != nil {
				r.fault = err
			}
			t.Token, t.Generated = made, true
		}
		r.cfg.HTTP.Tokens = append(r.cfg.HTTP.Tokens, t)
	})
}

// require reports a key that has no default and is not there.
func (v value) require(key, want string) {
	if path := v.path + "." + key; v.node.Kind == yaml.MappingNode && !v.r.written(path) {
		v.r.report(path, "nothing", want)
	}
}

func (r *reader) agents(v value) {
	v.items("a list of {id, name, password, skills}", func(_ int, item value) {
		a := Agent{Weight: 1, Role: AgentRole, SRTP: SRTPOff}
		item.fields(
			field{"id", func(v value) { v.text(&a.ID, idShape) }},
			field{keyName, func(v value) { v.text(&a.Name, titleShape) }},
			field{keyPassword, func(v value) {
				if !v.secret(&a.Password) {
					v.problem("a password that is not set", "one that is; an agent without cannot register")
				}
			}},
			field{keyHA1, func(v value) { a.HA1 = v.ha1() }},
			field{"skills", func(v value) { a.Skills = r.skills(v) }},
			field{"role", func(v value) { oneOf(v, &a.Role, AgentRole, Supervisor) }},
			field{"weight", func(v value) { v.integer(&a.Weight, 1, 100) }},
			field{"digest", func(v value) { listOf(v, &a.Digest, MD5, SHA256, SHA512256) }},
			field{keySRTP, func(v value) { oneOf(v, &a.SRTP, SRTPOff, SRTPOptional, SRTPRequired) }},
		)
		item.require("id", idShape.want)
		if !r.written(item.path + "." + keyHA1) {
			item.require(keyPassword, wantSecret+", or ha1")
		}
		if a.Name == "" {
			a.Name = a.ID
		}
		r.cfg.Agents = append(r.cfg.Agents, a)
	})
}

func (r *reader) skills(v value) map[string]int {
	skills := map[string]int{}
	v.entries(func(name string, child value) {
		level := 0
		child.integer(&level, 1, 9)
		skills[name] = level
	})
	return skills
}

func (r *reader) trunks(v value) {
	v.items("a list of {name, allow, numbers}", func(_ int, item value) {
		t := Trunk{Numbers: map[string]Destination{}, SRTP: SRTPOff}
		item.fields(append([]field{
			{keyName, func(v value) { v.text(&t.Name, nameShape) }},
			{"allow", func(v value) { t.Allow = r.allow(v) }},
			{keySRTP, func(v value) { oneOf(v, &t.SRTP, SRTPOff, SRTPOptional, SRTPRequired) }},
			{keyDomain, func(v value) { v.text(&t.Domain, hostShape) }},
			{keyPing, func(v value) { v.duration(&t.Ping, 0, 10*time.Minute) }},
			{"codecs", func(v value) { listOf(v, &t.Codecs, PCMA, PCMU) }},
			{"max_calls", func(v value) { v.integer(&t.MaxCalls, 0, 1<<15) }},
			{"normalise", func(v value) { v.normalise(&t.Normalise) }},
			{"trust", func(v value) {
				trust := true
				v.boolean(&trust)
				t.Doubted = !trust
			}},
			{keyLogin, func(v value) { v.login(&t.Login) }},
			{keyRegister, func(v value) { v.register(&t) }},
			{keyTLS, func(v value) { v.trunkTLS(&t.TLS) }},
			{keyNumbers, func(v value) {
				v.entries(func(number string, child value) {
					if !child.name(number, numberShape) {
						return
					}
					if d, ok := child.place(); ok {
						t.Numbers[number] = d
					}
				})
			}},
		}, r.trunkOut(&t)...)...)
		item.require(keyName, nameShape.want)
		item.settleRegister(&t)
		item.settleOut(&t)
		item.settlePing(&t)
		item.settleDomain()
		item.settleTLS(&t)
		r.cfg.Trunks = append(r.cfg.Trunks, t)
	})
}

const wantPrefix = "the carrier's addresses, such as 203.0.113.5 or 203.0.113.0/24"

func (r *reader) allow(v value) []netip.Prefix {
	var list []netip.Prefix
	v.items("a list of "+wantPrefix, func(_ int, item value) {
		if p, ok := item.prefix(); ok {
			list = append(list, p)
		}
	})
	if len(list) == 0 && !r.broken[v.path] {
		v.problem("an empty list", wantPrefix)
	}
	return list
}

// prefix takes an address or a range of them, but not the whole world: a trunk's calls are not
// authenticated.
func (v value) prefix() (netip.Prefix, bool) { return v.prefixOf(wantPrefix, "lets everybody in") }

// prefixOf takes what is wanted, an address or a range; everybody is what the whole world would mean.
func (v value) prefixOf(want, everybody string) (netip.Prefix, bool) {
	text, ok := v.scalar(want)
	if !ok {
		return netip.Prefix{}, false
	}
	p, err := netip.ParsePrefix(text)
	if a, single := netip.ParseAddr(text); single == nil && a.Zone() == "" {
		a = a.Unmap()
		p, err = netip.PrefixFrom(a, a.BitLen()), nil
	}
	switch {
	case err != nil:
		v.problem(v.found(), want)
	case p.Bits() == 0:
		v.problem(v.found()+", which "+everybody, want)
	case p.Addr().Is4In6():
		v.problem(v.found(), "IPv4 written as IPv4")
	case p != p.Masked():
		v.problem(v.found()+", an address with a range's length",
			p.Masked().String()+" for the range or "+p.Addr().String()+" for the one")
	default:
		return p, true
	}
	return netip.Prefix{}, false
}

func (r *reader) dial(v value) {
	v.items("a list of {prefix, digits, through, per_minute, at_once, hours, longest}", func(_ int, item value) {
		d := Dial{PerMinute: 10, AtOnce: 4}
		item.fields(
			field{"prefix", func(v value) { v.text(&d.Prefix, prefixShape) }},
			field{"digits", func(v value) { v.numberDigits(&d.Digits) }},
			field{"through", func(v value) { v.through(&d) }},
			field{"per_minute", func(v value) { v.integer(&d.PerMinute, 1, 6000) }},
			field{"at_once", func(v value) { v.integer(&d.AtOnce, 1, 1000) }},
			field{keyHours, func(v value) { v.hours(&d.Hours) }},
			field{"longest", func(v value) { v.longest(&d.Longest) }},
		)
		item.require("prefix", prefixShape.want)
		item.require("through", "a trunk's name")
		item.settleDigits(&d)
		r.cfg.Dial = append(r.cfg.Dial, d)
	})
}
