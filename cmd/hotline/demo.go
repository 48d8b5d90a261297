package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"hotline/config"
	"hotline/media"
	"hotline/sim"
)

// demoCmd serves the reference hotline to people who are not there.
type demoCmd struct {
	For  time.Duration `help:"Stop by itself after this long; 0 goes on until Ctrl-C." default:"0s"`
	Rate float64       `help:"Callers a minute." default:"20"`
	Talk time.Duration `help:"How long a talk lasts, on average." default:"20s"`
	Keep bool          `help:"Keep the data folder: records, recordings, log."`
}

const (
	// demoDrain is short: nobody real is cut off.
	demoDrain = time.Second
	// The people of the demo: how long they wait and let it ring on average, and how often an agent is
	// not at the desk. With 20 callers a minute, 4 agents and talks of 20 s, queues grow and shrink.
	demoPatience = 90 * time.Second
	demoPickup   = 5 * time.Second
	demoMiss     = 0.05
)

// demoPorts are the phones' own; the hotline's are those of the reference. Ports that are taken are
// passed over.
var demoPorts = media.PortRange{Lo: 26000, Hi: 29999}

// demoChoices are what people call about: mostly bills and boilers, now and then gas.
var demoChoices = []sim.Choice{
	{Number: "96777", Key: '1', Weight: 8},
	{Number: "96777", Key: '2', Weight: 6},
	{Number: "96777", Key: '4', Weight: 3},
	{Number: "96777", Weight: 1},
	{Number: "96777", Key: '3', Weight: 1},
	{Number: "96119", Weight: 1},
}

// Run implements the command.
func (d *demoCmd) Run(con *console) (err error) {
	collectSeldom()
	if d.Rate <= 0 || d.Talk <= 0 || d.For < 0 {
		return errors.New("demo: --rate and --talk must be above 0, --for not below")
	}
	folder, err := os.MkdirTemp("", "hotline-demo-")
	if err != nil {
		return fmt.Errorf("make a folder for the demo: %w", err)
	}
	defer func() {
		if d.Keep {
			con.say("kept in %s\n", folder)
			return
		}
		err = errors.Join(err, os.RemoveAll(folder))
	}()
	logFile, err := os.Create(filepath.Join(folder, "hotline.log"))
	if err != nil {
		return fmt.Errorf("make the demo's log: %w", err)
	}
	defer func() { err = errors.Join(err, logFile.Close()) }()
	log, err := logFlags{LogLevel: "info", LogFormat: "json"}.logger(logFile)
	if err != nil {
		return err
	}
	cfg, err := demoConfig(folder)
	if err != nil {
		return err
	}
	a, err := newApp(cfg, log)
	if err != nil {
		return err
	}
	return errors.Join(d.show(con, a), a.shutdown(con.signals, true))
}

// loopback is where the demo and the benches are.
var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// demoConfig is the reference hotline on free ports, with its data in a folder of its own.
func demoConfig(folder string) (*config.Config, error) {
	cfg, err := config.Reference()
	if err != nil {
		return nil, err
	}
	cfg.SIP.Listen = []config.Listener{
		{Network: "udp", Address: netip.AddrPortFrom(loopback, 0)},
		{Network: "tcp", Address: netip.AddrPortFrom(loopback, 0)},
	}
	cfg.HTTP.Listen = netip.AddrPortFrom(loopback, 0)
	cfg.Data, cfg.Drain = filepath.Join(folder, "data"), demoDrain
	return cfg, nil
}

// show runs the people and the table until a signal or the time given, and then has everybody hang up.
func (d *demoCmd) show(con *console, a *app) (err error) {
	engine, err := media.New(media.Options{
		Address: a.cfg.Media.Address, Ports: demoPorts, Rest: media.DefaultRest, Logger: a.log.Named("sim-media"),
	})
	if err != nil {
		return fmt.Errorf("media for the simulated phones: %w", err)
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	world, err := sim.New(d.people(a, engine))
	if err != nil {
		return fmt.Errorf("simulated people: %w", err)
	}
	ctx, leave := context.WithCancel(context.Background())
	var failure error
	gone := make(chan struct{}) // closed when the people are; then failure is set
	go func() {
		defer close(gone)
		failure = world.Run(ctx)
	}()
	defer func() {
		leave()
		<-gone
		err = errors.Join(err, failure)
	}()
	t := &table{con: con, app: a, world: world, begun: time.Now()}
	return t.run(d.For, gone)
}

func (d *demoCmd) people(a *app, engine media.Engine) sim.Options {
	o := sim.Options{
		Hotline: a.ua.Addrs()[0], Engine: engine, PerMinute: d.Rate, Talk: d.Talk,
		Patience: demoPatience, Pickup: demoPickup, Miss: demoMiss, Choices: demoChoices,
		Logger: a.log.Named("sim").WithOptions(zap.IncreaseLevel(zap.WarnLevel)),
	}
	for _, g := range a.cfg.Agents {
		o.Agents = append(o.Agents, sim.Agent{ID: g.ID, Password: g.Password.Reveal()})
	}
	return o
}
