package sip

import (
	"cmp"
	"container/heap"
	"container/list"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Why a source is banned; a metric's label, so a closed set.
const (
	banLogin   = "login"   // too many wrong passwords
	banScanner = "scanner" // it says itself that it is a scanner
	banCalls   = "calls"   // too many calls that were refused
)

const (
	// offencesIn is the time that the number of offences is counted in, which a source may commit.
	offencesIn = 10 * time.Minute
	// suspectsMost bounds the sources of whom offences are remembered, and apart from them those that are or were
	// banned, of some 200 octets each. Beyond, those are forgotten of whom nothing was heard for longest; and of those
	// that are or were banned the ones whose bans end or ended first, so that who has many addresses, each of them banned
	// for a minute, does not free by that who is banned for a day.
	suspectsMost = 8192
	// forgivenIn is the shortest quiet time that undoes a doubling.
	forgivenIn = 10 * time.Minute
)

// Ban is a source that gets no answer and no connection for a time.
type Ban struct {
	// Source is an IPv4 address (/32), or a network of IPv6 (/64), which whoever has one address has whole.
	Source netip.Prefix
	// Why is login (wrong passwords), scanner (it called itself one) or calls (calls that were refused).
	Why          string
	Since, Until time.Time
	// Times is how many bans there were that are not forgiven yet, with this one: each is twice as long.
	Times int
}

// banRules say when a source is banned and for how long.
type banRules struct {
	offences    int           // within offencesIn
	first, most time.Duration // of bans: each is twice as long as the one before
}

// lasts is how long a ban is, the nth of a source.
func (r banRules) lasts(nth int) time.Duration {
	d := r.first
	for ; nth > 1 && d < r.most; nth-- {
		d *= 2
	}
	return min(d, r.most)
}

// suspect is a source that has offended.
type suspect struct {
	host     netip.Addr // as hostOf has it
	offences bucket     // full: none
	times    int        // bans that are not forgiven
	why      string
	since    time.Time     // of the last ban
	until    time.Time     // its end
	quiet    time.Time     // from when on quiet counts: the end of the last ban, or its last forgiveness
	at       *list.Element // in watched, or nil
	place    int           // in punished, counted from 1; 0: it is not there
}

// forgive undoes a doubling for each time that the source was quiet for as long as its last ban was.
func (s *suspect) forgive(now time.Time, r banRules) {
	for s.times > 0 {
		next := s.quiet.Add(max(r.lasts(s.times), forgivenIn))
		if now.Before(next) {
			return
		}
		s.quiet = next
		s.times--
	}
}

// banBook remembers the sources that offended, and bans those that do so too often. Only offences belong into it that
// the source itself has committed, beyond doubt: by UDP any address can be claimed. Its memory is bounded whoever
// offends. It may be used from any goroutine.
type banBook struct {
	began time.Time

	mu       sync.Mutex
	rules    banRules
	hosts    map[netip.Addr]*suspect
	watched  list.List // of *suspect that were never banned, or are forgiven; the last to offend first
	punished byEnd     // the others
}

// byEnd is a heap of suspects: that whose ban is over first is the first.
type byEnd []*suspect

func (h byEnd) Len() int           { return len(h) }
func (h byEnd) Less(i, j int) bool { return h[i].until.Before(h[j].until) }
func (h byEnd) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i+1, j+1
}

// Push and Pop are for package heap.
func (h *byEnd) Push(x any) {
	if s, ok := x.(*suspect); ok {
		*h = append(*h, s)
		s.place = len(*h)
	}
}

func (h *byEnd) Pop() any {
	last := (*h)[len(*h)-1]
	(*h)[len(*h)-1] = nil
	*h = (*h)[:len(*h)-1]
	last.place = 0
	return last
}

func newBanBook(r banRules) *banBook {
	return &banBook{began: time.Now(), rules: r, hosts: make(map[netip.Addr]*suspect)}
}

// rule changes the rules. Bans in force stay as they are.
func (b *banBook) rule(r banRules) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rules = r
}

// offend notes an offence of a host; true: it is banned by it. One that is banned already gains nothing.
func (b *banBook) offend(host netip.Addr, why string, now time.Time) (Ban, bool) {
	return b.judge(host, why, now, false)
}

// ban bans a host at once, whatever it did before. False: it is banned already.
func (b *banBook) ban(host netip.Addr, why string, now time.Time) (Ban, bool) {
	return b.judge(host, why, now, true)
}

func (b *banBook) judge(host netip.Addr, why string, now time.Time, atOnce bool) (Ban, bool) {
	host = hostOf(host)
	if !host.IsValid() {
		return Ban{}, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.hosts[host]
	if s == nil {
		s = &suspect{host: host}
		b.hosts[host] = s
	}
	if now.Before(s.until) {
		return Ban{}, false
	}
	s.forgive(now, b.rules)
	token := offencesIn / time.Duration(b.rules.offences)
	if !atOnce && s.offences.takeEvery(now.Sub(b.began), token, b.rules.offences-1) {
		b.file(s)
		return Ban{}, false
	}
	s.offences = 0
	s.times++
	s.why, s.since, s.until = why, now, now.Add(b.rules.lasts(s.times))
	s.quiet = s.until
	b.file(s)
	return s.asBan(), true
}

// file puts a suspect among those of its kind, and forgets another where there are too many.
func (b *banBook) file(s *suspect) {
	b.unfile(s)
	var gone any
	switch {
	case s.times > 0:
		if len(b.punished) >= suspectsMost {
			gone = heap.Pop(&b.punished)
		}
		heap.Push(&b.punished, s)
	default:
		if b.watched.Len() >= suspectsMost {
			gone = b.watched.Remove(b.watched.Back())
		}
		s.at = b.watched.PushFront(s)
	}
	if other, ok := gone.(*suspect); ok {
		delete(b.hosts, other.host)
	}
}

// unfile takes a suspect from where it is.
func (b *banBook) unfile(s *suspect) {
	if s.place > 0 {
		heap.Remove(&b.punished, s.place-1)
	}
	if s.at != nil {
		b.watched.Remove(s.at)
		s.at = nil
	}
}

// banned tells whether a host is banned.
func (b *banBook) banned(host netip.Addr, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.punished) == 0 {
		return false
	}
	s := b.hosts[hostOf(host)]
	return s != nil && now.Before(s.until)
}

// lift ends a host's ban and forgets what it did; false: it was not banned.
func (b *banBook) lift(host netip.Addr, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.hosts[hostOf(host)]
	if s == nil || !now.Before(s.until) {
		return false
	}
	b.unfile(s)
	delete(b.hosts, s.host)
	return true
}

// list are the bans in force, the first to end first.
func (b *banBook) list(now time.Time) []Ban {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []Ban
	for _, s := range b.punished {
		if now.Before(s.until) {
			all = append(all, s.asBan())
		}
	}
	slices.SortFunc(all, func(a, b Ban) int { return cmp.Or(a.Until.Compare(b.Until), a.Source.Addr().Compare(b.Source.Addr())) })
	return all
}

func (s *suspect) asBan() Ban {
	return Ban{Source: networkOf(s.host), Why: s.why, Since: s.since, Until: s.until, Times: s.times}
}

// networkOf is what one host stands for, as hostOf has it.
func networkOf(host netip.Addr) netip.Prefix {
	if host.Is4() {
		return netip.PrefixFrom(host, host.BitLen())
	}
	return netip.PrefixFrom(host, hostBits)
}
