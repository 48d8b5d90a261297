package redisstore_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/store/redisstore"
)

func TestCheck(t *testing.T) {
	for _, good := range []string{
		"redis://host", "redis://host/", "redis://host:1/7", "redis://[::1]:6379/0", "redis://::1", "redis://u:p@host", "redis://:p@host", "redis://u:p%40%2F@host",
		"rediss://host", "redis+sentinel://a,b:26380/m", "redis+sentinel://u:p@a,b/m/3?sentinel_user=u&sentinel_password=p",
		"rediss+sentinel://a/m", "redis+cluster://a,b,c:7000", "rediss+cluster://u:p@a/0",
	} {
		require.NoError(t, redisstore.Check(good, ""), good)
	}
	// "secret" is where a password is, or where a slip of the pen puts it.
	for _, bad := range []string{
		"", "redis", "host:6379", "http://:secret@host", "redis://", "redis://:secret@", "redis://:secret@host:0", "redis://:secret@host:70000", "redis://:secret@host:x",
		"redis://:secret@host/x", "redis://:secret@host/-1", "redis://:secret@host/0/1", "redis://:secret@a,b", "redis://:secret%zz@host", "redis://%zz:secret@host",
		"redis://:sec/ret@host", "redis://:sec?secret@host", "redis://:secret@host?secret=1", "redis://:secret@host?sentinel_user=secret", "redis://:secret@host?%zz",
		"redis+sentinel://:secret@host", "redis+sentinel://:secret@host/", "redis+sentinel://:secret@host/m/x", "redis+cluster://:secret@host/1", "redis+cluster://:secret@a,,b",
		"redis+unix://:secret@host",
	} {
		err := redisstore.Check(bad, "")
		require.Error(t, err, bad)
		require.NotContains(t, err.Error(), "secret")
	}
}

func TestCheckCA(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(empty, []byte("no certificate"), 0o600))
	require.ErrorContains(t, redisstore.Check("rediss://host", empty), "no certificate")
	require.ErrorIs(t, redisstore.Check("rediss://host", empty+"x"), os.ErrNotExist)
	require.ErrorContains(t, redisstore.Check("redis://host", empty), "rediss://")
}

func TestOpenRefused(t *testing.T) {
	for _, o := range []redisstore.Options{{URL: "redis://host"}, {URL: "redis://host", Site: "a}b"}, {URL: "nothing", Site: "a"}} {
		_, err := redisstore.Open(o)
		require.Error(t, err, o)
	}
}
