package media

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Keys of the examples in RFC 4568 section 6.1 (30 octets) and of one of 28.
const (
	key30 = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"
	key28 = "AAECAwQFBgcICQoLDA0OD6ChoqOkpaanqKmqqw=="
)

func TestParseCrypto(t *testing.T) {
	const cm, gcm = "AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM"
	for _, c := range []struct {
		value string
		tag   int // -1: of no use
		suite string
	}{
		{"1 " + cm + " inline:" + key30, 1, cm},
		{"000000007 " + cm + " inline:" + key30, 7, cm},
		{"999999999 " + cm + " inline:" + key30, 999999999, cm},
		{"0 aes_cm_128_hmac_sha1_80 INLINE:" + key30, 0, cm},
		{"2 " + gcm + " inline:" + key28, 2, gcm},
		{"2 " + gcm + " inline:" + strings.TrimRight(key28, "="), 2, gcm},

		// Lifetimes (RFC 4568 section 6.1, 9.2).
		{"1 " + cm + " inline:" + key30 + "|2^20", 1, cm},
		{"1 " + cm + " inline:" + key30 + "|2^48", 1, cm},
		{"1 " + cm + " inline:" + key30 + "|1048576", 1, cm},
		{"1 " + cm + " inline:" + key30 + "|2^49", -1, ""},
		{"1 " + cm + " inline:" + key30 + "|0", -1, ""},
		{"1 " + cm + " inline:" + key30 + "|562949953421312", -1, ""},
		{"1 " + cm + " inline:" + key30 + "|", -1, ""},
		{"1 " + cm + " inline:" + key30 + "|long", -1, ""},

		// Master key identifiers, and several keys.
		{"1 " + cm + " inline:" + key30 + "|2^20|1:4", -1, ""},
		{"1 " + cm + " inline:" + key30 + "|1:4", -1, ""},
		{"1 " + cm + " inline:" + key30 + ";inline:" + key30, -1, ""},
		{"1 " + cm + " inline:" + key30 + "|2^20|1:4;inline:" + key30 + "|2^20|2:4", -1, ""},

		// Session parameters (section 6.3).
		{"1 " + cm + " inline:" + key30 + " WSH=128", 1, cm},
		{"1 " + cm + " inline:" + key30 + " -note=well WSH=64", 1, cm},
		{"1 " + cm + " inline:" + key30 + " KDR=0", -1, ""},
		{"1 " + cm + " inline:" + key30 + " UNENCRYPTED_SRTP", -1, ""},
		{"1 " + cm + " inline:" + key30 + " UNENCRYPTED_SRTCP", -1, ""},
		{"1 " + cm + " inline:" + key30 + " WSH=64 UNAUTHENTICATED_SRTP", -1, ""},
		{"1 " + cm + " inline:" + key30 + " FEC_ORDER=FEC_SRTP", -1, ""},
		{"1 " + cm + " inline:" + key30 + " note=well", -1, ""},

		// Suites and keys that are none of ours, or none at all.
		{"1 AES_CM_128_HMAC_SHA1_32 inline:" + key30, -1, ""},
		{"1 F8_128_HMAC_SHA1_80 inline:" + key30, -1, ""},
		{"1 AEAD_AES_256_GCM inline:" + key30, -1, ""},
		{"1 " + gcm + " inline:" + key30, -1, ""},
		{"1 " + cm + " inline:" + key28, -1, ""},
		{"1 " + cm + " inline:" + key30[:39], -1, ""},
		{"1 " + cm + " inline:" + strings.Repeat("!", 40), -1, ""},
		{"1 " + cm + " inline:", -1, ""},
		{"1 " + cm + " external:" + key30, -1, ""},
		{"1 " + cm + " " + key30, -1, ""},
		{"1 " + cm, -1, ""},
		{"1", -1, ""},
		{"", -1, ""},
		{"-1 " + cm + " inline:" + key30, -1, ""},
		{"+1 " + cm + " inline:" + key30, -1, ""},
		{"1000000000 " + cm + " inline:" + key30, -1, ""},
		{"one " + cm + " inline:" + key30, -1, ""},
	} {
		line, ok := parseCrypto(c.value)
		require.Equal(t, c.tag >= 0, ok, "%s", c.value)
		if ok {
			require.Equal(t, c.tag, line.tag, "%s", c.value)
			require.Equal(t, c.suite, line.key.suite.name, "%s", c.value)
		}
	}
}

// What is written is what was read; and a key comes out in no other way.
func TestCryptoLine(t *testing.T) {
	for i := range suites {
		line := cryptoLine{tag: 3, key: newMasterKey(&suites[i])}
		written := string(line.append(nil))
		value, ok := strings.CutPrefix(written, "a=crypto:")
		require.True(t, ok)
		again, ok := parseCrypto(value)
		require.True(t, ok)
		require.Equal(t, line.tag, again.tag)
		require.Equal(t, *line.key, *again.key)
		require.NotEqual(t, *line.key, *newMasterKey(&suites[i]), "keys are drawn at random")

		n := &negotiator{keys: []cryptoLine{line}}
		secret := strings.Trim(fmt.Sprint(line.key.material[:4]), "[]") //nolint:staticcheck // numbers, not text
		hex := fmt.Sprintf("%x", line.key.material[:4])
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			printed := fmt.Sprintf(verb, line.key)
			if strings.HasSuffix(verb, "v") {
				printed += fmt.Sprintf(verb, line) + fmt.Sprintf(verb, n)
			}
			require.NotContains(t, printed, secret, verb)
			require.NotContains(t, printed, hex, verb)
			require.NotContains(t, printed, value[len(value)-12:], verb)
		}
	}
	require.True(t, slices.ContainsFunc(suites, func(s suite) bool { return s.key+s.salt == maxMaterial }))
	require.False(t, slices.ContainsFunc(suites, func(s suite) bool { return s.key+s.salt > maxMaterial || s.tag > maxAuthTag }))
}

func FuzzCrypto(f *testing.F) {
	f.Add("1 AES_CM_128_HMAC_SHA1_80 inline:" + key30 + "|2^20|1:4;inline:" + key30 + " KDR=1 -x WSH=64")
	f.Add("2 AEAD_AES_128_GCM inline:" + key28)
	f.Fuzz(func(t *testing.T, value string) {
		line, ok := parseCrypto(value)
		if !ok {
			return
		}
		again, ok := parseCrypto(strings.TrimPrefix(string(line.append(nil)), "a=crypto:"))
		if !ok || again.tag != line.tag || *again.key != *line.key {
			t.Fatalf("%q is not read again", value)
		}
		if _, err := newOpener(line.key); err != nil {
			t.Fatal(err)
		}
	})
}
