package config

import (
	"crypto/rand"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"text/template"
)

// InitOptions say what a configuration to start from is made of.
type InitOptions struct {
	// Address of this machine that phones reach, as DetectAddress finds it. Required.
	Address netip.Addr
	// Rand is where passwords come from; nil means crypto/rand.
	Rand io.Reader
}

//go:embed init.yaml.tmpl
var initText string

// letters of a password: no two look alike on paper or sound alike on the telephone in the way that 1,
// l and i, or 0 and o, do.
const letters = "abcdefghjkmnpqrstuvwxyz23456789"

// passwordLength gives 79 bits from 31 letters.
const passwordLength = 16

// Init writes a commented configuration to start from: the services of the reference, listening on
// o.Address, with random passwords, and with a trunk that lets in nobody but this machine until its
// operator names the carrier. What it writes passes Parse. Errors: an address that cannot be listened
// on, or those of w and o.Rand.
func Init(w io.Writer, o InitOptions) error {
	if !o.Address.IsValid() || o.Address.IsUnspecified() || o.Address.IsMulticast() || o.Address.Zone() != "" {
		return fmt.Errorf("writing a configuration: %w: %s", errAddress, o.Address)
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	address := o.Address.Unmap()
	words := struct {
		Address   netip.Addr
		SIP       netip.AddrPort
		Allow     netip.Prefix
		Passwords [len(referencePasswords)]string
	}{
		Address: address,
		SIP:     netip.AddrPortFrom(address, 5060),
		Allow:   netip.PrefixFrom(address, address.BitLen()),
	}
	for i := range words.Passwords {
		p, err := password(o.Rand)
		if err != nil {
			return fmt.Errorf("writing a configuration: %w", err)
		}
		words.Passwords[i] = p
	}
	t, err := template.New("init.yaml").Parse(initText)
	if err != nil {
		return fmt.Errorf("reading the built-in configuration: %w", err)
	}
	if err := t.Execute(w, words); err != nil {
		return fmt.Errorf("writing a configuration: %w", err)
	}
	return nil
}

var errAddress = errors.New("not an address that phones can reach")

func password(random io.Reader) (string, error) {
	var b [passwordLength * 8]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("making a random password: %w", err)
	}
	text := make([]byte, passwordLength)
	for i := range text {
		// 64 bits for each letter: the first letters are favoured by one part in 10^17.
		text[i] = letters[binary.BigEndian.Uint64(b[i*8:])%uint64(len(letters))]
	}
	return string(text), nil
}
