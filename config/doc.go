// Package config owns the settings of a hotline: the tree of them ([Config]), their defaults, how they
// are read from YAML, the secrets among them, and the checks, which report every problem at once with
// its line, its path and what would be right.
//
// It is a leaf: it imports nothing of ours, and only cmd/hotline imports it, which turns a Config into
// the Options of each folder.
//
// The file reference.yaml is a contract and is embedded: what it shows is the default of every key but
// trunks, agents and tokens, which default to none. The keys that this package adds beside it stand
// in types.go, each with its default.
//
// Goroutines: none are started. A Config is an immutable snapshot: once returned nobody writes to it,
// so any goroutine may read it.
package config
