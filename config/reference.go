package config

import (
	_ "embed"
	"os"
)

//go:embed reference.yaml
var reference []byte

// Reference returns the reference hotline, which listens on loopback only. Its token comes from the
// environment's HOTLINE_TOKEN, or is made at random, see [Config.GeneratedTokens].
func Reference() (*Config, error) {
	return Parse("reference.yaml", reference, os.LookupEnv)
}
