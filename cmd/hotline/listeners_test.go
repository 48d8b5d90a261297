package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// TestCheckListeners: a certificate that cannot be served with is found before it is served with, and named with its line.
func TestCheckListeners(t *testing.T) {
	t.Parallel()
	_, cert, key := testkit.Certificate(t)
	_, _, other := testkit.Certificate(t)
	yaml := func(key string) string {
		return "sip:\n  listen:\n    - udp://127.0.0.1:0\n    - {address: \"tls://127.0.0.1:0\", certificate: " + cert + ", key: " + key + "}\n"
	}
	code, _, complaints := command(t, "check", write(t, yaml(key)))
	require.Zero(t, code, complaints)
	for name, wrong := range map[string]string{"not there": key + ".none", "another's": other} {
		code, _, complaints = command(t, "check", write(t, yaml(wrong)))
		require.NotZero(t, code, name)
		require.Contains(t, complaints, ":4:", name)
		require.Contains(t, complaints, "sip.listen[1].certificate: read the certificate "+cert+" with the key "+wrong, name)
	}
	require.NoError(t, os.Remove(cert))
	code, _, complaints = command(t, "check", write(t, yaml(key)))
	require.NotZero(t, code)
	require.Contains(t, complaints, "no such file")
}

// TestCheckNoCertificate: a listener of TLS without its files is told of what is missing, and not that files without a name
// cannot be read.
func TestCheckNoCertificate(t *testing.T) {
	t.Parallel()
	_, cert, _ := testkit.Certificate(t)
	for listener, missing := range map[string][]string{
		`"tls://127.0.0.1:0"`: {"certificate", "key"},
		`{address: "tls://127.0.0.1:0", certificate: ` + cert + "}": {"key"},
	} {
		code, _, complaints := command(t, "check", write(t, "sip:\n  listen:\n    - "+listener+"\n"))
		require.NotZero(t, code)
		require.Equal(t, len(missing), strings.Count(complaints, "sip.listen[0]"), complaints)
		for _, key := range missing {
			require.Contains(t, complaints, "without "+key)
		}
		require.NotContains(t, complaints, "read the certificate")
	}
}

// TestCheckNumbers: two ways to write one number that lead to two places are found before somebody calls it.
func TestCheckNumbers(t *testing.T) {
	t.Parallel()
	yaml := func(normalise, second string) string {
		return "trunks:\n  - name: city\n    allow: [127.0.0.1]\n" + normalise +
			"    numbers: {\"96119\": {queue: gas-alarm}, \"88888888\": {queue: repair}, \"075588888888\": {queue: " + second + "}}\n"
	}
	normalise := "    normalise: {area: \"0755\"}\n"
	for _, good := range []string{yaml("", "consult"), yaml(normalise, "repair")} {
		code, _, complaints := command(t, "check", write(t, good))
		require.Zero(t, code, complaints)
	}
	code, _, complaints := command(t, "check", write(t, yaml(normalise, "consult")))
	require.NotZero(t, code)
	require.Contains(t, complaints, "trunks[0].numbers: numbers 075588888888 and 88888888 of trunk city: the same number")
}

// TestCheckTrunks: what secures connections to a trunk is found wrong before a call needs it.
func TestCheckTrunks(t *testing.T) {
	t.Parallel()
	ca, cert, key := testkit.Certificate(t)
	yaml := func(ca, certificate string) string {
		return "sip:\n  listen:\n    - {address: \"tls://127.0.0.1:0\", certificate: " + cert + ", key: " + key + "}\n" +
			"trunks:\n  - {name: carrier, allow: [127.0.0.1], numbers: {\"96777\": {menu: main}}, address: \"tls://127.0.0.1:5061\",\n" +
			"     tls: {ca: " + ca + ", certificate: " + certificate + ", key: " + key + "}}\n"
	}
	code, _, complaints := command(t, "check", write(t, yaml(ca, cert)))
	require.Zero(t, code, complaints)
	for wrong, says := range map[string]string{
		yaml(ca+".none", cert): "read the authorities of a trunk: open " + ca + ".none: no such file",
		yaml(key, cert):        "read the authorities of a trunk from " + key + ": it holds no certificate in PEM",
		yaml(ca, ca):           "read the certificate " + ca + " with the key " + key,
	} {
		code, _, complaints = command(t, "check", write(t, wrong))
		require.NotZero(t, code)
		require.Contains(t, complaints, ":6:")
		require.Contains(t, complaints, "trunks[0].tls: "+says)
	}
}
