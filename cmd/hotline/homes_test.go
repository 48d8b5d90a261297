package main

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"hotline/config"
	"hotline/sip"
)

// TestHomesAreKept: what the user agent tells is there for the next start, readable for nobody else; a first start has
// none, and one whose file is broken begins without and says so.
func TestHomesAreKept(t *testing.T) {
	core, lines := observer.New(zap.WarnLevel)
	a := &app{cfg: &config.Config{Data: t.TempDir()}, log: zap.New(core)}
	start := func() (o sip.Options) {
		a.keepHomes(&o)
		return o
	}
	first := start()
	require.Empty(t, first.Homes)
	at := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	all := []sip.Home{
		{Account: "8001", Host: netip.MustParseAddr("192.0.2.7"), Last: at, Mark: "0a1"},
		{Account: "trunk/carrier", Host: netip.MustParseAddr("2001:db8::"), Last: at.Add(time.Hour)},
	}
	require.NoError(t, first.OnHomes(all))
	again := start()
	require.Equal(t, all, again.Homes)
	require.NotZero(t, first.HomesKey)
	require.Equal(t, first.HomesKey, again.HomesKey)
	key, err := os.Stat(filepath.Join(a.cfg.Data, homesKeyFile))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), key.Mode().Perm())
	path := filepath.Join(a.cfg.Data, homesFile)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	require.NoError(t, first.OnHomes(nil))
	require.Empty(t, start().Homes)
	require.Zero(t, lines.Len())

	require.NoError(t, os.WriteFile(path, []byte(`[{"account": 8001`), 0o600))
	require.Empty(t, start().Homes)
	require.Equal(t, 1, lines.Len())
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.WriteFile(filepath.Join(a.cfg.Data, homesKeyFile), first.HomesKey[:31], 0o600))
	other := start().HomesKey
	require.NotEqual(t, first.HomesKey, other, "half a key is none")
	require.NotZero(t, other)
	require.Equal(t, 2, lines.Len())
	require.Equal(t, other, start().HomesKey)
	require.NoError(t, os.RemoveAll(a.cfg.Data))
	for range 3 { // which is told of once
		require.ErrorIs(t, first.OnHomes(all), os.ErrNotExist, "a folder that is gone")
		require.Equal(t, 3, lines.Len())
	}
	require.Zero(t, start().HomesKey)
	require.Equal(t, 4, lines.Len())
	require.NoError(t, os.Mkdir(a.cfg.Data, 0o700))
	require.NoError(t, first.OnHomes(all))
	require.Equal(t, all, start().Homes)

	// What does not get to the disk does not take the place of what is there.
	require.NoError(t, os.Symlink(os.DevNull, path+".new")) // it takes what is written, and cannot be synced
	require.Error(t, first.OnHomes(nil))
	require.Equal(t, all, start().Homes)
	require.Equal(t, 5, lines.Len())
}
