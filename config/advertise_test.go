package config_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A listener of TLS may be told of by the name that its certificate is of, with a port or with that it listens at.
func TestAdvertisedName(t *testing.T) {
	c := parse(t, `
sip:
  listen:
    - {address: "tls://127.0.0.1:5061", advertise: SIP.hotline.example, certificate: cert.pem, key: key.pem}
    - {address: "tls://127.0.0.1:5062", advertise: "sip.hotline.example:5063", certificate: cert.pem, key: key.pem}
`, map[string]string{})
	for i, port := range []uint16{5061, 5063} {
		l := c.SIP.Listen[i]
		require.Equal(t, "sip.hotline.example", l.AdvertiseName)
		require.Equal(t, port, l.AdvertisePort)
		require.False(t, l.Advertise.IsValid())
	}
}
