package media

import (
	"fmt"
	"slices"
)

// The profiles of RTP that we have (RFC 3551, RFC 3711). Those with feedback are taken from others and answered in kind
// (RFC 4585 section 4.4): what they allow (RFC 4585, RFC 5124) is nowhere compulsory.
const (
	profilePlain          = "RTP/AVP"
	profileFeedback       = "RTP/AVPF"
	profileSecure         = "RTP/SAVP"
	profileSecureFeedback = "RTP/SAVPF"
)

// The profiles of audio whose keys DTLS agrees on (RFC 5764 section 8), which we have not.
const (
	profileDTLS         = "UDP/TLS/RTP/SAVP"
	profileDTLSFeedback = "UDP/TLS/RTP/SAVPF"
)

// isPlain reports whether a profile is one without encryption.
func isPlain(profile string) bool { return profile == profilePlain || profile == profileFeedback }

// hasProfile reports whether we have an m-line's profile.
func (m *mediaLine) hasProfile() bool {
	return isPlain(m.proto) || m.proto == profileSecure || m.proto == profileSecureFeedback
}

// overDTLS reports whether there is audio over DTLS-SRTP in a description.
func (d *description) overDTLS() bool {
	return slices.ContainsFunc(d.media, func(m mediaLine) bool {
		return m.kind == kindAudio && m.port != 0 && (m.proto == profileDTLS || m.proto == profileDTLSFeedback)
	})
}

// addCrypto takes the value of an a=crypto line. Tags are to be unique (RFC 4568 section 4.1): one that comes again is
// none that an answer could name.
func (m *mediaLine) addCrypto(value string) {
	m.cryptos++
	line, ok := parseCrypto(value)
	if ok && !slices.ContainsFunc(m.crypto, func(other cryptoLine) bool { return other.tag == line.tag }) {
		m.crypto = append(m.crypto, line)
	}
}

// protections are the ways to take an offered line, the better first: encrypted, plain.
func (s Security) protections() []bool {
	switch s {
	case SecurityRequired:
		return []bool{true}
	case SecurityOptional:
		return []bool{true, false}
	case SecurityOff:
	}
	return []bool{false}
}

// offered is which of an offered line's keys to take, the first that is one (RFC 4568 section 7.1.2); nil for none
// where that will do.
func (n *negotiator) offered(m *mediaLine, encrypted bool) (line *cryptoLine, ok bool) {
	if !encrypted {
		return nil, isPlain(m.proto)
	}
	for i := range m.crypto {
		if !n.isOurs(m.crypto[i].key) {
			return &m.crypto[i], true
		}
	}
	return nil, false
}

// isOurs reports whether a key of the far end's is one that it has from us. Each side encrypts with its own: under one
// for both, what we send would be taken when it is sent back to us.
func (n *negotiator) isOurs(k *masterKey) bool {
	if n.agreed != nil && n.agreed.secure != nil && *n.agreed.secure.out.key == *k {
		return true
	}
	return slices.ContainsFunc(n.ours.crypto, func(l cryptoLine) bool { return *l.key == *k })
}

// wantsKeys reports whether an offer that was not chosen from has audio which would do with a key that can be used.
func (n *negotiator) wantsKeys(d *description) bool {
	ways := n.security.protections()
	return ways[0] && slices.ContainsFunc(d.media, func(m mediaLine) bool {
		for _, encrypted := range ways {
			if _, ok := n.offered(&m, encrypted); ok {
				return false
			}
		}
		return m.usable(n.local.Addr())
	})
}

// protect makes the protection for a key that was offered, with one of ours for the other direction. The same key
// again is the same protection, numbers and all; with another, both directions begin anew (RFC 4568 section 7.1.4): a
// far end that has made itself a new key may have forgotten all about ours.
func (n *negotiator) protect(theirs *cryptoLine) (*protection, error) {
	if theirs == nil {
		return nil, nil
	}
	if n.agreed != nil && n.agreed.secure != nil && *n.agreed.secure.in.key == *theirs.key {
		now := *n.agreed.secure
		now.tag = theirs.tag
		return &now, nil
	}
	in, err := newOpener(theirs.key)
	if err != nil {
		return nil, err
	}
	out, err := newSealer(newMasterKey(theirs.key.suite))
	if err != nil {
		return nil, err
	}
	return &protection{tag: theirs.tag, out: out, in: in}, nil
}

// crypto is the line that tells the far end of our key.
func (p *protection) crypto() []cryptoLine {
	if p == nil {
		return nil
	}
	return []cryptoLine{{tag: p.tag, key: p.out.key}}
}

// toOffer is the profile of an offer of ours, and the keys in it, one for each suite. Where something encrypted is agreed
// they are new ones: who answers may be another phone than the one that talks, and could not know how often our numbers
// have rolled over under the key in use (RFC 3711 section 3.3.1). What was agreed to be plain stays so, until the far end
// offers otherwise.
func (n *negotiator) toOffer() (profile string, lines []cryptoLine) {
	encrypted := n.agreed != nil && n.agreed.secure != nil
	switch {
	case encrypted || n.security == SecurityRequired:
	case n.agreed != nil && isPlain(n.ours.profile): // with feedback, say
		return n.ours.profile, nil
	case n.agreed != nil || n.security != SecurityOptional:
		return profilePlain, nil
	}
	if encrypted || n.keys == nil {
		n.keys, n.sealers = nil, nil
		for i := range suites {
			n.keys = append(n.keys, cryptoLine{tag: i + 1, key: newMasterKey(&suites[i])})
		}
	}
	switch {
	case encrypted:
		return n.ours.profile, n.keys
	case n.security == SecurityRequired:
		return profileSecure, n.keys
	}
	return profilePlain, n.keys
}

// accepted is the protection that an answer to our offer has chosen: one of our keys, by its tag and with its suite,
// and one key of the far end's (RFC 4568 section 7.1.3). Nil where there is none, and none is needed.
func (n *negotiator) accepted(m *mediaLine) (*protection, error) {
	if m.cryptos == 0 || len(n.ours.crypto) == 0 {
		if !isPlain(m.proto) || !isPlain(n.ours.profile) || n.security == SecurityRequired {
			return nil, fmt.Errorf("%w: answer m=%s %d %s without one", ErrNotSecure, m.kind, m.port, m.proto)
		}
		return nil, nil
	}
	if m.cryptos != 1 || len(m.crypto) != 1 || n.isOurs(m.crypto[0].key) {
		return nil, fmt.Errorf("%w: answer with %d a=crypto lines, of which %d can be used", ErrNotSecure, m.cryptos, len(m.crypto))
	}
	theirs := m.crypto[0]
	i := slices.IndexFunc(n.ours.crypto, func(l cryptoLine) bool {
		return l.tag == theirs.tag && l.key.suite == theirs.key.suite
	})
	if i < 0 {
		return nil, fmt.Errorf("%w: answer with tag %d and %s, which was not offered", ErrNotSecure, theirs.tag, theirs.key.suite.name)
	}
	out, err := n.sealer(n.ours.crypto[i].key)
	if err != nil {
		return nil, err
	}
	if n.agreed != nil && n.agreed.secure != nil && *n.agreed.secure.in.key == *theirs.key {
		return &protection{tag: theirs.tag, out: out, in: n.agreed.secure.in}, nil
	}
	in, err := newOpener(theirs.key)
	if err != nil {
		return nil, err
	}
	return &protection{tag: theirs.tag, out: out, in: in}, nil
}

// sealer is the sealer of a key of ours, always the same one: an answer may come again, from another phone of the far
// end's and with another suite, and what was sent under a key must not be sent so again.
func (n *negotiator) sealer(k *masterKey) (*sealer, error) {
	if n.agreed != nil && n.agreed.secure != nil && n.agreed.secure.out.key == k {
		return n.agreed.secure.out, nil
	}
	if i := slices.IndexFunc(n.sealers, func(s *sealer) bool { return s.key == k }); i >= 0 {
		return n.sealers[i], nil
	}
	s, err := newSealer(k)
	if err != nil {
		return nil, err
	}
	n.sealers = append(slices.Clip(n.sealers), s) // the negotiator may be a copy of another
	return s, nil
}
