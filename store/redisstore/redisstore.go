// Package redisstore keeps what the nodes of a site share in Redis: it implements site.Book with one Lua script for each
// method that changes something, a transaction that reads the whole, and a stream as the log. The rules are site.Book's;
// store/memstore has the same in Go, and one suite (storetest) holds both to them.
//
// What it needs of the server: Redis 6.2 or later (or Valkey), alone, behind Sentinel, or a Cluster; the policy noeviction,
// since a book of which a part was evicted is read whole again and again; and a user who may do
//
//	~{hotline:SITE}:* +evalsha +eval +xread +multi +exec +hmget +hgetall +hget +hset +hdel +hexists +zadd +zrem
//	+zscore +zcard +zrange +zrangebyscore +xadd +xtrim +expire +pexpireat +del +time +ping
//
// (with +sentinel and +subscribe at the sentinels, +cluster and +readonly for a Cluster, +select for a db of the URL).
//
// All keys of a site have the same hash tag, {hotline:SITE}, so that a Cluster keeps them in one place. No key is looked
// for: there are 15, each with an end of its own (Options.Keep after the last touch; places when the last of them is
// over). Callers' numbers are in them.
//
// Goroutines: every method may be called from any goroutine. Deeds wait for nothing but the server: at most a second, or
// their context's deadline; those who follow the log, and those who read the whole, have connections of their own and
// never stand in a deed's way. No deed is tried twice: whether the first was done would not be known.
package redisstore

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"hotline/site"
)

// Options of a book.
type Options struct {
	// URL is where the server is, see [Check]. It holds a password: no error repeats it.
	URL string
	// CA is a file of certificates (PEM) that the server's is held against; empty: the system's. For rediss:// alone.
	CA string
	// Site names the keys; sites that share a server have different ones. It is of letters, digits, '.', '_' and '-'.
	Site string
	// Bounds are how much is kept; the zero value stands for site.DefaultBounds.
	Bounds site.Bounds
	// Keep is how long keys outlive the last touch, in whole seconds; zero stands for 24 h.
	Keep time.Duration
	// Registry takes the metrics; nil: none.
	Registry prometheus.Registerer
}

// Times and sizes of the connections.
const (
	dialFor   = time.Second
	answerFor = time.Second
	readFor   = 5 * time.Second // of the whole
	followFor = 400 * time.Millisecond
	deeds     = 16 // connections at most, for deeds
	followers = 4  // and for those who follow or read the whole
	keep      = 24 * time.Hour
)

// Book implements site.Book. Use Open.
type Book struct {
	deed   redis.UniversalClient // for scripts
	follow redis.UniversalClient // for the log, and to read the whole
	keys   []string
	bounds site.Bounds
	keep   string           // seconds
	clock  func() time.Time // nil: the server's

	unreadable prometheus.Counter
}

var silence sync.Once

// Open makes a book's connections. It does not wait for the server: what is wrong with it, the methods say. Errors: an
// option is wrong.
func Open(o Options) (*Book, error) {
	if err := checkSite(o.Site); err != nil {
		return nil, err
	}
	if o.Bounds == (site.Bounds{}) {
		o.Bounds = site.DefaultBounds()
	}
	if o.Keep == 0 {
		o.Keep = keep
	}
	// The library would write to the standard error what its methods return besides.
	silence.Do(logging.Disable)
	b := &Book{
		bounds: o.Bounds, keep: strconv.Itoa(int(max(o.Keep, time.Second) / time.Second)), keys: keysOf(o.Site),
		unreadable: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hotline_book_unreadable_total", Help: "Entries and facts of the site's book that this version cannot read, and passed over.",
		}),
	}
	where, err := parse(o.URL, o.CA)
	if err != nil {
		return nil, err
	}
	if o.Registry != nil {
		if err := o.Registry.Register(b.unreadable); err != nil {
			return nil, fmt.Errorf("register the metrics of the site's book: %w", err)
		}
	}
	b.deed = where.client(deeds, answerFor)
	b.follow = where.client(followers, readFor)
	return b, nil
}

// Close ends the connections. Whoever follows the log is told that they are closed.
func (b *Book) Close() error {
	if err := errors.Join(b.deed.Close(), b.follow.Close()); err != nil {
		return fmt.Errorf("close the connections to redis: %w", err)
	}
	return nil
}

// Places of the keys in what each script is given.
const (
	keyMeta = iota
	keyNodes
	keyLeases
	keyFlows
	keyCallers
	keyClaims
	keyLog
	keyRests
	keyRestsBy
	keyShifts
	keyShiftsBy
	keyPlaces
	keyPlacesBy
	keyRegulars
	keyRegularsBy
)

func keysOf(name string) []string {
	names := [...]string{
		keyMeta: "meta", keyNodes: "nodes", keyLeases: "leases", keyFlows: "flows", keyCallers: "callers",
		keyClaims: "claims", keyLog: "log", keyRests: "rests", keyRestsBy: "restsby", keyShifts: "shifts",
		keyShiftsBy: "shiftsby", keyPlaces: "places", keyPlacesBy: "placesby", keyRegulars: "regulars",
		keyRegularsBy: "regularsby",
	}
	keys := make([]string, 0, len(names))
	for _, n := range names {
		keys = append(keys, "{hotline:"+name+"}:"+n)
	}
	return keys
}

//go:embed lua/*.lua
var sources embed.FS

// The scripts. Each is the prelude and the method's own file.
var (
	scriptEnter   = script("enter")
	scriptRenew   = script("renew")
	scriptLeave   = script("leave")
	scriptSay     = script("say")
	scriptClaim   = script("claim")
	scriptMark    = script("mark")
	scriptRelease = script("release")
	scriptAbandon = script("abandon")
	scriptClear   = script("clear")
	scriptRaise   = script("raise")
	scriptResume  = script("resume")
)

func script(name string) *redis.Script {
	var text []byte
	for _, file := range []string{"prelude", name} {
		part, err := sources.ReadFile("lua/" + file + ".lua")
		if err != nil {
			panic("redisstore: a script is not in the program: " + file) // a fault of the build
		}
		text = append(text, part...)
	}
	return redis.NewScript(string(text))
}

// failed says that the server did not do what it was asked, and whether it was only that the context was done: of that the
// connection may have heard first.
func failed(ctx context.Context, err error) error {
	deadline, bounded := ctx.Deadline()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("redis: %w: %w", context.Cause(ctx), err)
	case bounded && !time.Now().Before(deadline):
		return fmt.Errorf("redis: %w: %w", context.DeadlineExceeded, err)
	}
	return fmt.Errorf("redis: %w", err)
}

// answer is what a script returned: a word, and what goes with it.
type answer []string

// do has a script done, in one round trip (two when the server does not know it yet). Errors: those of site by the word.
func (b *Book) do(ctx context.Context, s *redis.Script, args ...any) (answer, error) {
	instant := ""
	if b.clock != nil {
		instant = micros(b.clock())
	}
	all := append([]any{instant, b.keep, b.bounds.Log}, args...)
	got, err := s.Run(ctx, b.deed, b.keys, all...).StringSlice()
	if err != nil {
		return nil, failed(ctx, err)
	}
	if len(got) == 0 {
		return nil, errors.New("redis: a script returned nothing")
	}
	switch got[0] {
	case "ok":
		return got[1:], nil
	case "dead":
		return nil, site.ErrDead
	case "taken":
		return nil, site.ErrTaken
	case "noflow":
		return nil, site.ErrNoFlow
	case "range":
		return nil, site.ErrRange
	}
	return nil, fmt.Errorf("redis: a script returned %q", got[0])
}
