package media_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/media/mediatest"
)

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	require.NoError(t, err)
	return b
}

// The phones of package mediatest are what the engines' SRTP is held against, so they are held against the RFCs.
func TestVectors(t *testing.T) {
	t.Run("RFC 3711 B.3, key derivation", func(t *testing.T) {
		key := unhex(t, "E1F97A0D3E018BE0D64FA32C06DE4139")
		salt := unhex(t, "0EC675AD498AFEEBB6960B3AABE6")
		require.Equal(t, unhex(t, "C61E7A93744F39EE10734AFE3FF7A087"), mediatest.DeriveKey(key, salt, 0, 16))
		require.Equal(t, unhex(t, "30CBBC08863D8C85D49DB34A9AE1"), mediatest.DeriveKey(key, salt, 2, 14))
		require.Equal(t, unhex(t, `CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4
			8F0A0ACF3C34E2359E6CDBCEE049646C43D9327AD175578EF72270986371C10C
			9A369AC2F94A8C5FBCDDDC256D6E919A48B610EF17C2041E474035766B68642C
			59BBFC2F34DB60DBDFB2`), mediatest.DeriveKey(key, salt, 1, 94))
	})
	// The packet that libsrtp holds itself against, under the keys of B.3.
	t.Run("AES_CM_128_HMAC_SHA1_80", func(t *testing.T) {
		s := mediatest.NewSRTP(mediatest.SuiteCM, unhex(t, "E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6"))
		plain := unhex(t, "800f1234 decafbad cafebabe abababab abababab abababab abababab")
		sealed := unhex(t, "800f1234 decafbad cafebabe 4e55dc4c e79978d8 8ca4d215 949d2402 b78d6acc 99ea179b 8dbb")
		require.Equal(t, sealed, s.Seal(plain, 0))
		again, ok := s.Open(sealed, 0)
		require.True(t, ok)
		require.Equal(t, plain, again)
	})
	key, salt := unhex(t, "000102030405060708090a0b0c0d0e0f"), unhex(t, "51756964 2070726f 2071756f")
	t.Run("RFC 7714 16.1.1, RTP", func(t *testing.T) {
		plain := unhex(t, `8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070
			61727465 73207472 6573`)
		sealed := unhex(t, `8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a
			51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce`)
		require.Equal(t, sealed, mediatest.SealGCM(key, salt, plain[:12], plain[12:], plain[:12], plain[8:12], 0xf17b))
	})
	t.Run("RFC 7714 17.1, RTCP", func(t *testing.T) {
		plain := unhex(t, `81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef
			deadbeef deadbeef deadbeef`)
		sealed := unhex(t, `81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 730d6fda
			4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade`)
		aad := append(plain[:8:8], unhex(t, "800005d4")...)
		require.Equal(t, sealed, mediatest.SealGCM(key, salt, plain[:8], plain[8:], aad, plain[4:8], 0x5d4))
	})
}
