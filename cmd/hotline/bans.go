package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"text/tabwriter"
	"time"

	"hotline/config"
	"hotline/web"
)

// bans are the sources that the user agent has banned, as the API shows them.
func (a *app) bans() []web.Ban {
	var out []web.Ban
	for _, b := range a.ua.Bans() {
		out = append(out, web.Ban(b))
	}
	return out
}

// bansCmd lists the sources that the hotline which runs here has banned.
type bansCmd struct {
	Config string `type:"path" required:"" placeholder:"FILE" help:"The configuration; it says where the hotline is, and has a supervisor's token."`
}

// unbanCmd lifts a ban of the hotline that runs here.
type unbanCmd struct {
	Address string `arg:"" help:"The source's address; of a network of IPv6, any in it, or the network as it is listed."`
	Config  string `type:"path" required:"" placeholder:"FILE" help:"As for bans."`
}

// Run implements the command.
func (b *bansCmd) Run(con *console) error {
	cfg, err := loadConfig(b.Config)
	if err != nil {
		return con.problems(err)
	}
	status, body, err := askHotline(con, cfg, http.MethodGet, "/api/v1/bans")
	if err != nil {
		return err
	}
	var found struct {
		Bans []struct {
			Source, Why  string
			Since, Until time.Time
			Times        int
		}
	}
	if status != http.StatusOK {
		return fmt.Errorf("the hotline at %s answers %d", cfg.HTTP.Listen, status)
	}
	if err := json.Unmarshal(body, &found); err != nil {
		return fmt.Errorf("read the bans: %w", err)
	}
	if len(found.Bans) == 0 {
		con.say("nobody is banned\n")
		return nil
	}
	w := tabwriter.NewWriter(con.out, 0, 0, 2, ' ', 0) //nolint:mnd // two spaces between columns
	_, _ = fmt.Fprintln(w, "SOURCE\tWHY\tSINCE\tUNTIL\tTIMES")
	for _, one := range found.Bans {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\n", one.Source, one.Why, one.Since.Format(time.DateTime),
			one.Until.Format(time.DateTime), one.Times) // as in say
	}
	_ = w.Flush()
	return nil
}

// Run implements the command.
func (u *unbanCmd) Run(con *console) error {
	address, err := netip.ParseAddr(u.Address)
	if p, network := netip.ParsePrefix(u.Address); network == nil {
		address, err = p.Addr(), nil
	}
	if err != nil || address.Zone() != "" {
		return fmt.Errorf("%q is no IP address; hotline bans lists those that are banned", u.Address)
	}
	cfg, err := loadConfig(u.Config)
	if err != nil {
		return con.problems(err)
	}
	status, _, err := askHotline(con, cfg, http.MethodDelete, "/api/v1/bans/"+address.String())
	if err != nil {
		return err
	}
	switch status {
	case http.StatusNoContent:
		con.say("%s: not banned any more\n", u.Address)
		return nil
	case http.StatusNotFound:
		return fmt.Errorf("%s is not banned", u.Address)
	default:
		return fmt.Errorf("the hotline at %s answers %d", cfg.HTTP.Listen, status)
	}
}

// askHotline asks the API of a configuration's hotline something as a supervisor, until a signal comes.
func askHotline(con *console, cfg *config.Config, method, path string) (status int, body []byte, err error) {
	ctx, stop := con.untilSignal()
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	return readHere(ctx, cfg, method, path)
}
