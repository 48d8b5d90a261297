package config

import "time"

// keyRegister is a key of trunks.
const keyRegister = "register"

const (
	leastRegister   = time.Minute
	defaultRegister = time.Hour
)

// register reads how a trunk is registered to.
func (v value) register(t *Trunk) {
	g := &t.Register
	g.Expires = defaultRegister
	v.fields(
		field{keyAddress, func(v value) { v.trunkAddress(&g.Address) }},
		field{"username", func(v value) { v.text(&g.Username, realmShape) }},
		field{"password", func(v value) {
			if !v.secret(&g.Password) {
				v.problem("a password that is not set", "one that is")
			}
		}},
		field{"expires", func(v value) { v.seconds(&g.Expires, leastRegister, day) }},
	)
	v.require("username", realmShape.want)
	v.require("password", wantSecret)
}

// settleRegister gives a registration the trunk's address, where it has none of its own, and calls through the trunk the
// account that we register with, where they have none.
func (v value) settleRegister(t *Trunk) {
	path := v.path + "." + keyRegister
	if !v.r.written(path) {
		v.require("allow", wantPrefix+", or register")
		return
	}
	if !v.r.written(path + "." + keyAddress) {
		t.Register.Address = t.Address
		if !v.r.written(v.path + "." + keyAddress) {
			v.r.report(path+"."+keyAddress, "nothing", wantTrunkAddress)
		}
	}
	if t.Address != (TrunkAddress{}) && t.Username == "" && !v.r.written(v.path+".username") {
		t.Username, t.Password = t.Register.Username, t.Register.Password
	}
}
