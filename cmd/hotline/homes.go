package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"hotline/sip"
)

// homesFile keeps where agents' phones and trunks proved their passwords, so that after a restart whoever floods does not
// decide which of them get in. It says where agents live: nobody else may read it.
const homesFile = "homes.json"

// home is a sip.Home as it is written.
type home struct {
	Account string     `json:"account"`
	Host    netip.Addr `json:"host"`
	Last    time.Time  `json:"last"`
	Mark    string     `json:"mark"`
}

// keepHomes has the user agent begin with the homes that are kept, and keeps those that it tells. What cannot be read or
// written is a warning: calls do not need it. It is tried again each minute, and said once until it has gone well.
func (a *app) keepHomes(o *sip.Options) {
	path := filepath.Join(a.cfg.Data, homesFile)
	o.HomesKey = a.homesKey()
	var err error
	if o.Homes, err = readHomes(path); err != nil {
		a.log.Warn("phones and trunks are strangers until they prove their passwords: what is known of them cannot be read",
			zap.String("file", path), zap.Error(err))
	}
	failing := false
	o.OnHomes = func(all []sip.Home) error {
		err := writeHomes(path, all)
		if err != nil && !failing {
			a.log.Warn("after a restart phones and trunks would be strangers: what is known of them cannot be written, tried again each minute",
				zap.String("file", path), zap.Error(err))
		}
		failing = err != nil
		return err
	}
}

// readHomes reads a file of homes; there need not be one.
func readHomes(path string) ([]sip.Home, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []home
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("not a list of homes: %w", err)
	}
	all := make([]sip.Home, len(list))
	for i, h := range list {
		all[i] = sip.Home(h)
	}
	return all, nil
}

// writeHomes replaces a file of homes, whole or not at all. What it holds is on the disk before it has its name: after a power cut there
// would be an empty file else. That the name may then still be the one before's does no harm.
func writeHomes(path string, all []sip.Home) error {
	list := make([]home, len(all))
	for i, h := range all {
		h.Last = h.Last.UTC().Truncate(time.Second)
		list[i] = home(h)
	}
	text, err := json.Marshal(list)
	if err != nil {
		return err
	}
	fresh := path + ".new"
	const owner = 0o600
	f, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, owner)
	if err != nil {
		return err
	}
	if _, err = f.Write(append(text, '\n')); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(fresh, path)
}
