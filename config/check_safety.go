package config

import (
	"fmt"
	"slices"
)

// referencePasswords are public: they stand in the reference.
var referencePasswords = [...]string{"one", "two", "three", "four"}

// checkSafety refuses what everybody knows as soon as anybody else can reach the hotline.
func (r *reader) checkSafety() {
	reason, exposed := r.exposed()
	if !exposed {
		return
	}
	for i, a := range r.cfg.Agents {
		if slices.Contains(referencePasswords[:], a.Password.value) {
			r.report(fmt.Sprintf("agents[%d].password", i), "a password of the reference while "+reason,
				"one that nobody knows, such as those `hotline init` makes")
		}
	}
	for i, t := range r.cfg.Trunks {
		if t.isReference() {
			r.report(trunkPath(i), "the trunk of the reference while "+reason,
				"a trunk of your own, with the carrier's addresses in allow and your numbers")
		}
	}
}

// exposed names a listener that is not on loopback. What is advertised does not matter: a loopback
// listener cannot be reached, and an unspecified one listens everywhere.
func (r *reader) exposed() (reason string, yes bool) {
	const others = ", where others reach it"
	for i, l := range r.cfg.SIP.Listen {
		if !l.Address.Addr().IsLoopback() {
			return fmt.Sprintf("%s is on %s%s", r.listenPath(i), l.Address.Addr(), others), true
		}
	}
	if a := r.cfg.HTTP.Listen.Addr(); !a.IsLoopback() {
		return fmt.Sprintf("http.listen is on %s%s", a, others), true
	}
	return "", false
}
