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

// The demo drains quickly: nobody real is cut off.
const demoDrain = time.Second

// Run implements the command.
func (d *demoCmd) Run(con *console) (err error) {
	if d.Rate <= 0 || d.Talk <= 0 || d.For < 0 {
		return errors.New("demo: --rate and --talk must be above 0, --for not below")
	}
	folder, err := os.MkdirTemp("", "hotline-demo-")
	if err != nil {
		return fmt.Errorf("make a folder for the demo: %w", err)
	}
	if !d.Keep {
		defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	}
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
	err = d.show(con, a, folder)
	return errors.Join(err, a.shutdown(con, true))
}

// demoConfig is the reference hotline on free ports, with its data in a folder of its own.
func demoConfig(folder string) (*config.Config, error) {
	cfg, err := config.Reference()
	if err != nil {
		return nil, err
	}
	loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	cfg.SIP.Listen = []config.Listener{
		{Network: "udp", Address: netip.AddrPortFrom(loopback, 0)},
		{Network: "tcp", Address: netip.AddrPortFrom(loopback, 0)},
	}
	cfg.HTTP.Listen = netip.AddrPortFrom(loopback, 0)
	cfg.Data, cfg.Drain = filepath.Join(folder, "data"), demoDrain
	return cfg, nil
}

// demoPorts are the phones' own; the hotline's are those of the reference. Ports that are taken are
// passed over.
var demoPorts = media.PortRange{Lo: 26000, Hi: 29999}

// show runs the people and the table until a signal or the time given.
func (d *demoCmd) show(con *console, a *app, folder string) (err error) {
	engine, err := media.NewPortable(media.Options{
		Address: a.cfg.Media.Address, Ports: demoPorts, Logger: a.log.Named("sim-media"),
	})
	if err != nil {
		return fmt.Errorf("media for the simulated phones: %w", err)
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	world, err := sim.New(d.people(a, engine))
	if err != nil {
		return fmt.Errorf("simulated people: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- world.Run(ctx) }()
	defer func() {
		cancel()
		err = errors.Join(err, <-done)
	}()
	t := &table{con: con, app: a, world: world, folder: folder, begun: time.Now()}
	return t.run(d.For, done)
}

func (d *demoCmd) people(a *app, engine media.Engine) sim.Options {
	o := sim.Options{
		Hotline: a.ua.Addrs()[0], Engine: engine, PerMinute: d.Rate, Talk: d.Talk,
		Patience: 90 * time.Second, Pickup: 5 * time.Second, Logger: a.log.Named("sim").WithOptions(zap.IncreaseLevel(zap.WarnLevel)),
		Choices: []sim.Choice{
			{Number: "96777", Key: '1', Weight: 8}, {Number: "96777", Key: '2', Weight: 6},
			{Number: "96777", Key: '4', Weight: 3}, {Number: "96777", Weight: 1},
			{Number: "96777", Key: '3', Weight: 1}, {Number: "96119", Weight: 1},
		},
	}
	for _, g := range a.cfg.Agents {
		o.Agents = append(o.Agents, sim.Agent{ID: g.ID, Password: g.Password.Reveal()})
	}
	return o
}
