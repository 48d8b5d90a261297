package redisstore

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"hotline/call"
	"hotline/site"
)

// whole is what a transaction reads of the book.
type whole struct {
	meta *redis.SliceCmd
	time *redis.TimeCmd
	maps [len(kept)]*redis.MapStringStringCmd
}

// kept are the keys that hold facts, nodes first, in the order of site.View.
var kept = [...]int{keyNodes, keyFlows, keyCallers, keyClaims, keyRests, keyShifts, keyPlaces, keyRegulars}

// Read implements site.Book.
func (b *Book) Read(ctx context.Context) (site.View, error) {
	ctx, cancel := context.WithTimeout(ctx, readFor)
	defer cancel()
	var w whole
	_, err := b.follow.TxPipelined(ctx, func(p redis.Pipeliner) error {
		w.meta = p.HMGet(ctx, b.keys[keyMeta], "last", "epoch", "book")
		w.time = p.Time(ctx)
		for i, key := range kept {
			w.maps[i] = p.HGetAll(ctx, b.keys[key])
		}
		return nil
	})
	if err != nil {
		return site.View{}, fmt.Errorf("read the book: %w", failed(ctx, err))
	}
	return b.view(w), nil
}

// view makes a view of what was read. What cannot be read is passed over, and counted.
func (b *Book) view(w whole) site.View {
	v := site.View{Now: b.now(w.time.Val())}
	meta := w.meta.Val()
	if book, _ := meta[2].(string); book == "" {
		return v // whatever there is is of one that was lost
	}
	last, _ := meta[0].(string)
	epoch, _ := meta[1].(string)
	v.At = site.Place(last)
	v.Epoch, _ = strconv.ParseUint(epoch, 10, 64)
	for _, packed := range w.maps[0].Val() {
		var n site.Node
		_, text, _ := strings.Cut(packed, "\n")
		if err := json.Unmarshal([]byte(text), &n); err != nil {
			b.unreadable.Inc()
			continue
		}
		v.Nodes = append(v.Nodes, n)
	}
	slices.SortFunc(v.Nodes, func(x, y site.Node) int { return cmp.Compare(x.ID, y.ID) })
	for i, key := range kept[1:] {
		v.Facts = append(v.Facts, b.facts(key, w.maps[i+1].Val(), v.Now)...)
	}
	return v
}

// keyed is a fact with what it is ordered by.
type keyed struct {
	key  string
	fact call.SiteFact
}

// facts are those of one key, in their order.
func (b *Book) facts(key int, values map[string]string, now time.Time) []call.SiteFact {
	list := make([]keyed, 0, len(values))
	for _, value := range values {
		k, err := decodeValue(key, value)
		switch {
		case err != nil:
			b.unreadable.Inc()
		case k.fact.Place != nil && !k.fact.Place.Until.After(now):
		case k.fact.Regular != nil && !k.fact.Regular.At.Add(b.bounds.RegularsFor).After(now):
		default:
			list = append(list, k)
		}
	}
	slices.SortFunc(list, func(x, y keyed) int { return cmp.Compare(x.key, y.key) })
	facts := make([]call.SiteFact, 0, len(list))
	for _, k := range list {
		facts = append(facts, k.fact)
	}
	return facts
}

// decodeValue reads what a key has for one agent, call, or queue and number.
func decodeValue(key int, value string) (k keyed, err error) {
	// Behind what the scripts go by, if anything, there is the fact, in JSON.
	text := []byte(value[strings.LastIndexByte(value, '\n')+1:])
	switch key {
	case keyFlows:
		f := new(call.SiteFlow)
		err = json.Unmarshal(text, f)
		k = keyed{f.Agent, call.SiteFact{Flow: f}}
	case keyCallers:
		c := new(call.SiteCaller)
		err = json.Unmarshal(text, c)
		k = keyed{c.Call, call.SiteFact{Caller: c}}
	case keyClaims:
		c, bad := unpackClaim(value)
		k, err = keyed{c.Agent, call.SiteFact{Claim: &c}}, bad
	case keyRests:
		r, bad := unpackRest(value)
		k, err = keyed{r.Agent, call.SiteFact{Rest: &r}}, bad
	case keyShifts:
		s := new(call.Shift)
		err = json.Unmarshal(text, s)
		k = keyed{s.Agent, call.SiteFact{Shift: s}}
	case keyPlaces:
		p := new(call.SitePlace)
		err = json.Unmarshal(text, p)
		k = keyed{p.Queue + "\n" + p.Number, call.SiteFact{Place: p}}
	case keyRegulars:
		r := new(call.SiteRegular)
		err = json.Unmarshal(text, r)
		k = keyed{r.Queue + "\n" + r.Number, call.SiteFact{Regular: r}}
	}
	if err == nil && (k.key == "" || k.key == "\n") {
		err = errors.New("a fact of nobody")
	}
	return k, err
}

// begin is the place before everything, as the log has it; placeForm what a place looks like.
const begin = "0-0"

var placeForm = regexp.MustCompile(`^[0-9]{1,16}-[0-9]{1,16}$`)

// atOnce is how many entries are returned at most.
const atOnce = 1000

// Follow implements site.Book. A context that is done ends it only when its deadline is over, or within the while that it
// waits for entries (400 ms).
func (b *Book) Follow(ctx context.Context, after site.Place) ([]site.Entry, error) {
	from := string(after)
	if from == "" {
		from = begin
	}
	if !placeForm.MatchString(from) {
		return nil, fmt.Errorf("follow the book's log from %q: %w", after, site.ErrGap)
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("follow the book's log: %w", context.Cause(ctx))
	}
	bounded, cancel := context.WithTimeout(ctx, followFor+answerFor)
	defer cancel()
	found, err := b.entries(bounded, from, followFor)
	if err == nil && len(found) == 0 {
		var more bool
		if more, err = b.grew(bounded, from); more {
			found, err = b.entries(bounded, from, -1)
			if err == nil && len(found) == 0 {
				err = fmt.Errorf("what came after %s was cut off: %w", from, site.ErrGap)
			}
		}
	}
	if err != nil {
		return nil, fmt.Errorf("follow the book's log: %w", err)
	}
	var entries []site.Entry
	for _, m := range found {
		// Each entry names the one before it: a place that is none of this log has no follower.
		if before, _ := m.Values["p"].(string); before != from {
			return nil, fmt.Errorf("follow the book's log from %s, where it does not go on: %w", from, site.ErrGap)
		}
		from = m.ID
		e, unreadable := decodeEntry(m.ID, m.Values)
		b.unreadable.Add(float64(unreadable))
		entries = append(entries, e)
	}
	return entries, nil
}

// entries reads the log behind a place, and waits for something to be there if that is not negative.
func (b *Book) entries(ctx context.Context, from string, wait time.Duration) ([]redis.XMessage, error) {
	streams, err := b.follow.XRead(ctx, &redis.XReadArgs{
		Streams: []string{b.keys[keyLog], from}, Count: atOnce, Block: wait,
	}).Result()
	if errors.Is(err, redis.Nil) || err == nil && len(streams) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, failed(ctx, err)
	}
	return streams[0].Messages, nil
}

// grew reports whether the log has gone on from a place, by the book's word. Errors: site.ErrGap, when it ends before that
// place, or there is no book.
func (b *Book) grew(ctx context.Context, place string) (bool, error) {
	last, err := b.follow.HGet(ctx, b.keys[keyMeta], "last").Result()
	switch {
	case errors.Is(err, redis.Nil):
		return false, fmt.Errorf("nobody has entered the book: %w", site.ErrGap)
	case err != nil:
		return false, failed(ctx, err)
	case comparePlaces(last, place) < 0:
		return false, fmt.Errorf("it ends at %s, before %s: %w", last, place, site.ErrGap)
	}
	return last != place, nil
}

// comparePlaces compares two places, which have the form of one.
func comparePlaces(x, y string) int {
	xms, xseq, _ := strings.Cut(x, "-")
	yms, yseq, _ := strings.Cut(y, "-")
	number := func(x, y string) int { return cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y)) }
	return cmp.Or(number(xms, yms), number(xseq, yseq))
}
