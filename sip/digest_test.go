package sip

import (
	"cmp"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icholy/digest"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestRightResponse holds the digests against the examples of the RFCs.
func TestRightResponse(t *testing.T) {
	for _, c := range []struct {
		name, method, password, header string
	}{
		{"RFC 2617 3.5", "GET", "Circle Of Life", `Digest username="Mufasa", realm="testrealm@host.com",
			nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", uri="/dir/index.html", qop=auth, nc=00000001,
			cnonce="0a4f113b", response="6629fae49393a05397450978507c4ef1",
			opaque="5ccc069c403ebaf9f0171e9517f40e41"`},
		{"RFC 7616 3.9.1 MD5", "GET", "Circle of Life", `Digest username="Mufasa", realm="http-auth@example.org",
			uri="/dir/index.html", algorithm=MD5, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
			nc=00000001, cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth,
			response="8ca523f5e9506fed4657c9700eebdbec", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`},
		{"RFC 7616 3.9.1 SHA-256", "GET", "Circle of Life", `Digest username="Mufasa", realm="http-auth@example.org",
			uri="/dir/index.html", algorithm=SHA-256, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
			nc=00000001, cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth,
			response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
			opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`},
		{"RFC 7616 3.9.2 SHA-512-256 (errata 4897)", "GET", "Secret, or not?", `Digest username="Jäsøn Doe",
			realm="api@example.org", uri="/doe.json", algorithm=SHA-512-256,
			nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", nc=00000001,
			cnonce="NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v", qop=auth,
			response="3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5",
			opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			creds, err := digest.ParseCredentials(strings.Join(strings.Fields(c.header), " "))
			require.NoError(t, err)
			ha1 := func(password string) string {
				t.Helper()
				h, err := HA1(cmp.Or(creds.Algorithm, "md5"), creds.Username, creds.Realm, password)
				require.NoError(t, err)
				return h
			}
			right := ha1(c.password)
			require.True(t, rightResponse(creds, c.method, right))
			require.False(t, rightResponse(creds, c.method, ha1(c.password+"x")))
			require.False(t, rightResponse(creds, "POST", right))
			for _, spoil := range []func(*digest.Credentials){
				func(c *digest.Credentials) { c.Nc++ },
				func(c *digest.Credentials) { c.Nonce += "x" },
				func(c *digest.Credentials) { c.URI += "x" },
				func(c *digest.Credentials) { c.Cnonce += "x" },
				func(c *digest.Credentials) { c.Response = c.Response[1:] },
				func(c *digest.Credentials) { c.Response = "" },
				func(c *digest.Credentials) { c.QOP = "" },
				func(c *digest.Credentials) { c.QOP = "auth-int" },
				func(c *digest.Credentials) { c.Algorithm = "SHA-512" },
				func(c *digest.Credentials) { c.Algorithm = "nothing" },
			} {
				spoiled := *creds
				spoil(&spoiled)
				require.False(t, rightResponse(&spoiled, c.method, right), "%+v", spoiled)
			}
		})
	}
}

func TestNonces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNonces(5 * time.Minute)
		nonce := n.fresh(netip.Addr{})
		require.NotEqual(t, nonce, n.fresh(netip.Addr{}))
		time.Sleep(5*time.Minute - time.Nanosecond)
		made, ours := n.made(nonce)
		require.True(t, ours)
		require.Zero(t, made)
		time.Sleep(time.Nanosecond)
		_, ours = n.made(nonce)
		require.False(t, ours, "too old")
		require.True(t, n.madeFor(nonce, netip.Addr{}))
		require.False(t, n.heardBy(nonce, netip.Addr{}), "whoever has the address now has not")
	})
	here, there := netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("192.0.2.8")
	network, neighbour := netip.MustParseAddr("2001:db8::7"), netip.MustParseAddr("2001:db8::8")
	of := newNonces(time.Minute)
	require.True(t, of.heardBy(of.fresh(here), here))
	require.False(t, of.heardBy(of.fresh(here), there))
	require.True(t, of.heardBy(of.fresh(network), neighbour), "of one network")
	require.False(t, newNonces(time.Minute).heardBy(of.fresh(here), here), "another process's")
	require.False(t, of.heardBy("dcd98b7102dd2f0e8b11d0f600bfb0c093", here))
	n, other := newNonces(time.Minute), newNonces(time.Minute)
	nonce := n.fresh(netip.Addr{})
	_, ours := other.made(nonce)
	require.False(t, ours, "another process's")
	for i := range nonce {
		b := []byte(nonce)
		b[i] ^= 1
		_, ours := n.made(string(b))
		require.False(t, ours, "byte %d", i)
	}
}

// TestCounts: no pair of nonce and count is taken twice, whatever the order and however many
// nonces; what is remembered stays bounded; and a phone that counts up is always taken.
func TestCounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCounts()
		type pair struct{ nonce, nc int }
		seen := make(map[pair]bool)
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			p := pair{rapid.IntRange(0, 20).Draw(t, "nonce"), rapid.IntRange(1, 200).Draw(t, "nc")}
			took := c.use(string(rune('a'+p.nonce)), time.Duration(p.nonce), p.nc)
			if took && seen[p] {
				t.Fatalf("%+v taken twice", p)
			}
			seen[p] = seen[p] || took
			if len(c.used) > noncesPerAgent {
				t.Fatalf("%d nonces remembered", len(c.used))
			}
		}
		newest := time.Duration(100)
		for nc := 1; nc < 100; nc++ {
			if !c.use("newest", newest, nc) {
				t.Fatalf("count %d of a fresh nonce refused", nc)
			}
		}
	})
}

func TestAlgorithmsOf(t *testing.T) {
	wire, err := algorithmsOf([]string{"sha-512-256", "MD5", "md5", "sha-256"})
	require.NoError(t, err)
	require.Equal(t, []string{"SHA-512-256", "MD5", "SHA-256"}, wire)
	_, err = algorithmsOf([]string{"md5", "sha-1"})
	require.ErrorContains(t, err, `"sha-1"`)
}
