package sip

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// homesFor is how long a host is an account's home after its password was last proved there: longer than any holiday.
const homesFor = 30 * 24 * time.Hour

// How many homes an account has at most: an agent's phone, and a carrier's login from one of its border controllers.
const (
	homesMost  = 4
	homesTrunk = 16
)

// homesNews is how often OnHomes is told what is new, and homesStale how old what it was told of a home may get.
const (
	homesNews  = time.Minute
	homesStale = time.Hour
)

// Home is a host where an account is at home: its password was proved there.
type Home struct {
	// Account is an agent's id; or, of a trunk, "trunk/" and the user it logs in with, or "carrier/" and its name.
	Account string
	// Host is an IPv4 address, or the first of a network of 64 bits of IPv6, which counts as one host.
	Host netip.Addr
	// Last is when that was last.
	Last time.Time
	// Mark is a mark of the password that was proved, by which it is known after a restart whether the account has that still.
	// It is of no use to whoever reads it.
	Mark string
}

// homes remembers where accounts are at home. Nobody gets a host into it who has no password of theirs, nor more of them
// than an account may have, so its memory is bounded by the accounts. It may be used from any goroutine.
type homes struct {
	key [homesKey]byte
	// secrets tells what an account's secret is now; false: there is no such account. It takes no lock.
	secrets func(account string) (secret, bool)

	mu        sync.RWMutex
	ofAccount map[string][]Home // the last first
	proved    map[string]secret // what was proved there: as long as an account has homes, they are of one password
	hosts     map[netip.Addr]time.Time
	news      bool
}

func newHomes() *homes {
	h := &homes{
		ofAccount: make(map[string][]Home), proved: make(map[string]secret), hosts: make(map[netip.Addr]time.Time),
		secrets: func(string) (secret, bool) { return secret{}, true },
	}
	randomBytes(h.key[:])
	return h
}

// known tells whether a host is any account's home.
func (h *homes) known(host netip.Addr, now time.Time) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	last, ok := h.hosts[hostOf(host)]
	return ok && now.Sub(last) < homesFor
}

// has tells whether a host is an account's home.
func (h *homes) has(account string, host netip.Addr, now time.Time) bool {
	host = hostOf(host)
	h.mu.RLock()
	defer h.mu.RUnlock()
	return slices.ContainsFunc(h.ofAccount[account], func(a Home) bool { return a.Host == host && now.Sub(a.Last) < homesFor })
}

// settles notes that an account's password was proved at a host. Of more than most hosts the one is forgotten where that
// was longest ago. A password that has been changed since it was looked at proves nothing.
func (h *homes) settles(account string, proved secret, host netip.Addr, most int, now time.Time) {
	host = hostOf(host)
	if !host.IsValid() {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if is, there := h.secrets(account); !there || is != proved {
		return
	}
	if h.proved[account] != proved { // keep, which follows each change, has not come yet
		h.forgetLocked(account)
	}
	h.proved[account] = proved
	list := h.ofAccount[account]
	at := slices.IndexFunc(list, func(a Home) bool { return a.Host == host })
	if at < 0 || now.Sub(list[at].Last) >= homesStale {
		h.news = true
	} else {
		now = list[at].Last // what was told of it is good for a while
	}
	if at >= 0 {
		list = slices.Delete(list, at, at+1)
	}
	list = slices.Insert(list, 0, Home{Account: account, Host: host, Last: now})
	gone := list[min(len(list), most):]
	h.ofAccount[account] = slices.Clip(list[:len(list)-len(gone)])
	if now.After(h.hosts[host]) {
		h.hosts[host] = now
	}
	if len(gone) > 0 {
		h.countLocked()
	}
}

// countLocked makes hosts of what the accounts have.
func (h *homes) countLocked() {
	clear(h.hosts)
	for _, list := range h.ofAccount {
		for _, a := range list {
			if a.Last.After(h.hosts[a.Host]) {
				h.hosts[a.Host] = a.Last
			}
		}
	}
}

// keep forgets the homes of accounts that are no more, or whose password is another one: whoever had stolen the one before is
// to be a stranger.
func (h *homes) keep() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for account, proved := range h.proved {
		if is, there := h.secrets(account); !there || is != proved {
			h.forgetLocked(account)
		}
	}
}

// forgetLocked forgets an account's homes.
func (h *homes) forgetLocked(account string) {
	delete(h.proved, account)
	if _, had := h.ofAccount[account]; had {
		delete(h.ofAccount, account)
		h.news = true
		h.countLocked()
	}
}

// restore puts in what all told, of accounts that are there, with the password that was proved then; the last of each first,
// as long as there is room.
func (h *homes) restore(all []Home, now time.Time) {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b Home) int { return b.Last.Compare(a.Last) })
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range all {
		a.Host = hostOf(a.Host)
		if a.Last.After(now) {
			a.Last = now // by a clock that was wrong then
		}
		list := h.ofAccount[a.Account]
		old := now.Sub(a.Last) >= homesFor || slices.ContainsFunc(list, func(b Home) bool { return b.Host == a.Host })
		is, there := h.secrets(a.Account)
		if old || !a.Host.IsValid() || len(list) >= homesTrunk || !there {
			continue
		}
		if a.Mark != is.mark(h.key, a.Account) {
			h.news = true // it need not be kept any longer
			continue
		}
		h.proved[a.Account] = is
		h.ofAccount[a.Account] = append(list, a)
	}
	h.countLocked()
}

// all are the homes, by account, the last of each first; false: there is nothing new since it was asked for last.
func (h *homes) all(now time.Time) ([]Home, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.news {
		return nil, false
	}
	h.news = false
	all := []Home{}
	for _, account := range slices.Sorted(maps.Keys(h.ofAccount)) {
		mark := h.proved[account].mark(h.key, account)
		for _, a := range h.ofAccount[account] {
			if now.Sub(a.Last) < homesFor {
				a.Mark = mark
				all = append(all, a)
			}
		}
	}
	return all, true
}

// untold takes back that what all has told is known: it could not be kept.
func (h *homes) untold() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.news = true
}

// tellHomes tells OnHomes what is new until ctx is done, and then what is left.
func (u *UA) tellHomes(ctx context.Context) {
	if u.o.OnHomes == nil {
		return
	}
	tick := time.NewTicker(homesNews)
	defer tick.Stop()
	for open := true; open; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			open = false
		}
		homes := u.sentry.guesses.homes
		if all, news := homes.all(time.Now()); news && u.o.OnHomes(all) != nil {
			homes.untold()
		}
	}
}
