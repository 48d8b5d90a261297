package config

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

const keyHA1 = "ha1"

// ha1Digits is how long an HA1 is, in hexadecimal digits.
var ha1Digits = map[Digest]int{MD5: 32, SHA256: 64, SHA512256: 64}

// ha1 reads {md5: HEX, …}. As with passwords, no problem tells any of it.
func (v value) ha1() map[Digest]Secret {
	const want = "{ALGORITHM: HEX}, as `hotline ha1` writes it"
	hashes := map[Digest]Secret{}
	if v.node.Kind == yaml.ScalarNode { // perhaps the HA1 itself
		v.problem("text", want)
		return hashes
	}
	algorithms := []Digest{MD5, SHA256, SHA512256}
	v.entries(func(name string, child value) {
		d := Digest(name)
		if !slices.Contains(algorithms, d) {
			child.problem("an algorithm "+quote(name), orList(algorithms)+suggest(v.r, name, algorithms))
			return
		}
		want := fmt.Sprintf("%d hexadecimal digits, as `hotline ha1` writes them", ha1Digits[d])
		var s Secret
		if !child.secret(&s) {
			child.problem("an HA1 that is not set", want)
			return
		}
		if s.value == "" { // told
			return
		}
		if _, err := hex.DecodeString(s.value); err != nil || len(s.value) != ha1Digits[d] {
			child.problem("no HA1 of "+name, want)
			return
		}
		hashes[d] = Secret{strings.ToLower(s.value)}
	})
	if len(v.node.Content) == 0 && !v.r.broken[v.path] {
		v.problem("no HA1", want)
	}
	return hashes
}
