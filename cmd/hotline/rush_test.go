package main

import (
	"context"
	"io/fs"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"hotline/call"
	"hotline/config"
	"hotline/internal/testkit"
	"hotline/media"
	"hotline/sim"
)

// TestRush: a hundred callers a minute for ten seconds, more than four agents can serve. When all have
// gone, every caller has a finished record, every recording can be read, and every agent is ready.
func TestRush(t *testing.T) {
	t.Parallel()
	cfg, err := demoConfig(t.TempDir())
	require.NoError(t, err)
	audio := testkit.FreePorts(t, 200)
	cfg.Media.Ports = config.PortRange{Low: uint16(audio), High: uint16(audio + 199)}
	cfg.SIP.Overload = config.Overload{} // what the other tests take of the machine is no reason to refuse anybody
	a, err := newApp(cfg, zap.NewNop())
	require.NoError(t, err)
	defer func() { require.NoError(t, a.shutdown(nil, false)) }()
	first := testkit.FreePorts(t, 200)
	engine, err := media.NewPortable(media.Options{
		Address: cfg.Media.Address, Ports: media.PortRange{Lo: uint16(first), Hi: uint16(first + 199)},
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, engine.Close()) }()
	o := (&demoCmd{Rate: 100, Talk: 3 * time.Second}).people(a, engine)
	o.For, o.Patience, o.Pickup, o.Seed = 10*time.Second, 30*time.Second, time.Second, 3
	world, err := sim.New(o)
	require.NoError(t, err)
	ctx, leave := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- world.Run(ctx) }()
	defer func() {
		leave()
		require.NoError(t, <-ran)
	}()

	testkit.Within(t, 4*patience, "everybody to have come and gone", func() bool {
		f := world.Figures()
		return f.Dialled > 10 && f.Calling == 0 && len(a.exchange.Live()) == 0
	})
	testkit.Within(t, patience, "every agent to be ready", func() bool {
		agents, err := a.center.Agents()
		require.NoError(t, err)
		for _, g := range agents {
			if g.State != call.AgentReady {
				return false
			}
		}
		return true
	})
	f := world.Figures()
	t.Logf("%+v", f)
	require.Positive(t, f.Answered)
	require.Zero(t, f.Refused)
	requireRecords(t, a, int(f.Dialled))
	queues, err := a.center.Queues()
	require.NoError(t, err)
	for _, q := range queues {
		require.Zero(t, q.Waiting, q.Name)
		require.Zero(t, q.Offering, q.Name)
	}
}

// requireRecords: n finished records, with a readable recording for each that was joined, and no other.
func requireRecords(t *testing.T, a *app, n int) {
	t.Helper()
	var records []call.Record
	testkit.Within(t, patience, "every record to be finished, which it is after its call has left the live ones", func() bool {
		var err error
		records, _, err = a.store.List(t.Context(), call.Query{Limit: 500})
		require.NoError(t, err)
		return !slices.ContainsFunc(records, func(r call.Record) bool { return r.Ended == nil })
	})
	require.Len(t, records, n)
	recorded := 0
	for _, r := range records {
		require.NotEmpty(t, r.Result, r.ID)
		if r.Recording == "" {
			continue
		}
		recorded++
		w := testkit.ReadWAV(t, filepath.Join(a.cfg.Data, "recordings", filepath.FromSlash(r.Recording)))
		require.Len(t, w.Channels, 2)
		require.InDelta(t, r.Ended.Sub(*r.Joined).Seconds(), w.Duration().Seconds(), 0.4, "%s, on a machine that does much else", r.ID)
	}
	require.Positive(t, recorded)
	files := 0
	require.NoError(t, filepath.WalkDir(filepath.Join(a.cfg.Data, "recordings"), func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files++
		}
		return err
	}))
	require.Equal(t, recorded, files)
}
