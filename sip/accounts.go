package sip

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// account is one agent as the registrar knows it.
type account struct {
	id         string            // empty for a decoy
	algorithms []string          // as the wire spells them
	ha1        map[string]string // for each of algorithms
	secret     secret            // that these come from
	counts     *counts
}

// account makes an agent's account; everyone are the algorithms, as configured, of whoever has no list of
// his own. Errors: what stands in for the password does not fit what is offered.
func (a *AgentOptions) account(realm string, everyone []string) (*account, error) {
	offered := a.Digest
	if len(offered) == 0 && len(a.HA1) > 0 {
		offered = slices.Sorted(maps.Keys(a.HA1))
		slices.Reverse(offered) // by their names the strongest is the last
	} else if len(offered) == 0 {
		offered = everyone
	}
	own, err := algorithmsOf(offered)
	if err != nil {
		return nil, err
	}
	ha1, err := a.ha1Of(realm, own)
	if err != nil {
		return nil, err
	}
	return &account{id: a.ID, algorithms: own, ha1: ha1, secret: a.secret(), counts: newCounts()}, nil
}

// ha1Of reads the HA1s of an agent, or makes them of the password: by the wire's names, one for each of the
// algorithms. Errors: both or neither given; an algorithm without HA1 or one too many; one of a wrong form.
func (a *AgentOptions) ha1Of(realm string, algorithms []string) (map[string]string, error) {
	out := make(map[string]string, len(algorithms))
	switch {
	case (a.Password == "") == (len(a.HA1) == 0):
		return nil, errors.New("no password, or both a password and HA1")
	case a.Password != "":
		for _, wire := range algorithms {
			ha1, err := HA1(wire, a.ID, realm, a.Password)
			if err != nil {
				return nil, err
			}
			out[wire] = ha1
		}
		return out, nil
	}
	for name, ha1 := range a.HA1 {
		wire, ok := digestAlgorithms[strings.ToLower(name)]
		if !ok {
			return nil, errAlgorithm(name)
		}
		raw, err := hex.DecodeString(ha1)
		if err != nil || len(raw) != hashes[wire]().Size() {
			return nil, fmt.Errorf("the HA1 for %s is not %d hexadecimal digits", name, 2*hashes[wire]().Size())
		}
		out[wire] = strings.ToLower(ha1)
	}
	for _, wire := range algorithms {
		if _, ok := out[wire]; !ok {
			return nil, fmt.Errorf("no HA1 for %s, which is offered", wire)
		}
	}
	if len(out) > len(algorithms) {
		return nil, errors.New("an HA1 for an algorithm that is not offered")
	}
	return out, nil
}

// decoys stand for ids that no agent has, so that whoever tries ids learns nothing: each is offered the
// algorithms of some agent, always the same one, and its credentials are held against an HA1 that none
// fits.
type decoys struct {
	accounts []account
	// key draws an id's agent. It comes from the agents' secrets, so that an id is offered the same after
	// a restart, as an agent is.
	key [sha256.Size]byte
}

// newDecoys makes the decoys for agents; everyone is what is offered where there are none.
func newDecoys(agents []*account, everyone []string) *decoys {
	d := &decoys{}
	secret := make(map[string]string, len(hashes))
	for wire, h := range hashes {
		random := make([]byte, h().Size())
		randomBytes(random)
		secret[wire] = hex.EncodeToString(random)
	}
	all := sha256.New()
	for _, a := range agents {
		d.accounts = append(d.accounts, account{algorithms: a.algorithms, ha1: secret})
		for _, wire := range a.algorithms {
			all.Write([]byte(a.ha1[wire]))
		}
	}
	if len(agents) == 0 {
		d.accounts = []account{{algorithms: everyone, ha1: secret}}
	}
	all.Sum(d.key[:0])
	return d
}

// of is the decoy for an id.
func (d *decoys) of(id string) *account {
	h := hmac.New(sha256.New, d.key[:])
	h.Write([]byte(id))
	return &d.accounts[binary.BigEndian.Uint64(h.Sum(nil))%uint64(len(d.accounts))]
}
